import { expect, test } from 'vitest'
import { type ArchiveSeen, archiveObservation } from '../../../kinds/database/plan/archived.ts'
import { deviations } from '../../../kinds/database/plan/deviations.ts'
import { replicationSlot, siteOf, subscription } from '../../../kinds/database/plan/operations/catalogue.ts'
import type { ResourceData } from '../../../kinds/database/plan/operations/operations.ts'
import { actualOf } from '../../../kinds/database/plan/state.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'

const [n1, n2] = [siteOf('n1', 'shop'), siteOf('n2', 'shop')]

/** As the inspector writes it into the floorplan that it answers. */
function found(resource: ResourceData, as: Partial<ResourceData>, meta: ActualMaterial['meta'] = {}): ActualMaterial {
  const actual = actualOf({ ...resource, ...as })
  return { ...actual, meta: { ...actual.meta, ...meta } }
}

test('a link that is disabled and a slot that is gone are deviations; what is as recorded is none', () => {
  const [link, slot] = [subscription(n1, n2), replicationSlot(n1, n2)]
  const seen = [
    found(link, {}),
    found(link, { error: 'the subscription is disabled' }),
    found(slot, { needs_recreate: true }),
    { id: 'restored/n1', attributes: {}, needs: [], meta: {} },
  ]
  expect(deviations({ materials: seen, observations: [] }, 'shop').map(({ what }) => what)).toEqual([
    'is not as it should be: the subscription is disabled',
    'is gone, or not recorded',
  ])
})

test('a link that carries nothing is named with its cause and its repair, and what a node lacks before it stops a link', () => {
  const cause = {
    from: 'n1',
    to: 'n2',
    why: 'table public.extra is missing on n2',
    table: 'public.extra',
    key: null,
    repair: [{ statement: 'CREATE TABLE public.extra (id integer)', meaning: 'makes the table as n1 has it' }],
  }
  const base = found(subscription(n1, n2), {})
  const seen = [
    found(subscription(n1, n2), {}, { link: cause }),
    { ...base, id: 'postgres_database/n2:shop', meta: { ...base.meta, lacking: ['table public.extra, which n1 has'] } },
  ]
  expect(deviations({ materials: seen, observations: [] }, 'shop')).toEqual([
    {
      material: 'node/n2',
      what: 'gets nothing of what n1 writes: table public.extra is missing on n2',
      next: 'run on n2: CREATE TABLE public.extra (id integer); (makes the table as n1 has it)',
    },
    {
      material: 'postgres_database/n2:shop',
      what: 'has no table public.extra, which n1 has: the first row of it that another node writes stops the link',
    },
  ])
})

test('a log that no backup goes with is a deviation; of a node that does not say where its log goes nothing is concluded', () => {
  const backup = { id: 'b1', node: 'n1', line: 'before', from: 0, until: 1, stop: '0/1', nextXid: '3' }
  const backups = [{ ...backup, dataBytes: 1, bytes: 1, logBytes: 1 }]
  const seen = { deployment: 'shop', node: 'n1', line: 'now', now: 1, nextXid: null, end: null, backups }
  const what = 'has no backup that goes with its log'
  const ofArchive = (archive: ArchiveSeen) => {
    const observations = [archiveObservation(archive, { at: 1, observer: 'planner-1' })]
    return deviations({ materials: [], observations }, 'shop')
  }
  expect(ofArchive(seen)).toEqual([{ material: 'archive/n1', what, next: 'remodel backup-database shop --node n1' }])
  expect(ofArchive({ ...seen, line: 'before' })).toEqual([])
  expect(ofArchive({ ...seen, line: null })).toEqual([])
})
