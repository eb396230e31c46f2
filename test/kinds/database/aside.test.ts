import { expect, test } from 'vitest'
import { inputs } from '../../../kinds/database/inputs.ts'
import { planOffline } from '../../../services/planner/planning/offline.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { archiveOf } from './archive-of.ts'
import { builtBy } from './built.ts'
import { documentOf, type Wish } from './document.ts'
import { planOf as planWith } from './planned.ts'

const wish = { net: 80, nodes: { n1: 'ab', n2: 'c' } }

const planOf = (wanted: Wish, materials: ActualMaterial[]) =>
  planOffline({
    files: [{ name: 'shop.yml', content: documentOf(wanted) }],
    releases: [],
    options: {},
    floorplan: { deployment: 'shop', version: 1, materials },
  })

/** All remodels that come before one. */
function neededBy({ remodels }: Plan, id: string): Set<string> {
  const found = new Set([id])
  for (const one of found)
    for (const needed of remodels.find((other) => other.id === one)?.needs ?? []) found.add(needed)
  return found
}

/** A restore was cut off: machines stand, and on that of host b lies what n1 had. */
async function cutOff(): Promise<ActualMaterial[]> {
  const actual = builtBy(await planOf(wish, []))
  return actual
    .filter(({ id }) => id.startsWith('host/'))
    .map((host) => (host.id === 'host/b' ? { ...host, meta: { ...host.meta, aside: true } } : host))
}

test('a node begins on the host where its data lies aside, and the plan says first that the restore is given up', async () => {
  const plan = await planOf(wish, await cutOff())
  expect(plan.consequences?.[0]).toBe('the restore of n1 is given up: it comes back as it was, on n1-b')
  const roles = plan.remodels
    .filter(({ step }) => step === 'set-up-instance')
    .map(({ input, material }) => [material, (input as { role: string }).role])
  expect(Object.fromEntries(roles)).toEqual({
    'instance/n1-a': 'follow',
    'instance/n1-b': 'found',
    'instance/n2-c': 'found',
  })
})

test('replicas wait for copies of a slot only where it has a reader: its subscription comes behind them, and waits itself', async () => {
  const unreadOf = ({ remodels }: Awaited<ReturnType<typeof planOf>>) =>
    remodels
      .filter(({ id }) => id === 'arrange-node node/n1')
      .map(({ input }) => inputs['arrange-node'].parse(input).unread)
  const back = await planOf(wish, await cutOff())
  expect(unreadOf(back)).toEqual([['remodel_n1_n2']])
  expect(neededBy(back, 'set-up-subscription subscription/n1:n2:shop')).toContain('arrange-node node/n1')
})

test('beside nodes that stand it begins with that too: it is no copy of another node, which may lack what it wrote', async () => {
  const actual = builtBy(await planOf(wish, []))
  const left = actual
    .filter(({ id }) => id.startsWith('host/') || /n2/.test(id) === false)
    .filter(({ id }) => !/^(replication_slot|subscription)/.test(id))
    .map((one) => (one.id === 'host/c' ? { ...one, meta: { ...one.meta, aside: true } } : one))
  const plan = await planOf(wish, left)
  expect(plan.consequences?.[0]).toBe('the restore of n2 is given up: it comes back as it was, on n2-c')
  const roles = plan.remodels
    .filter(({ step, material }) => step === 'set-up-instance' && material.startsWith('instance/n2'))
    .map(({ input }) => (input as { role: string }).role)
  expect([...new Set(roles)]).toEqual(['found'])
  expect(plan.remodels.map(({ step }) => step)).not.toContain('populate-node')
  const after = await planOf(
    wish,
    builtBy(
      plan,
      left.map((one) => ({ ...one, meta: { ...one.meta, aside: false } })),
    ),
  )
  expect(after.remodels.map(({ id }) => id)).toEqual([])
})

test('a node that was restored by an earlier request, which stands in the document again, begins with that', async () => {
  const restored: Wish = { ...wish, restore: { n2: { restore_options: { type: 'immediate' } } } }
  const archives = [archiveOf('n2')]
  const hosts = (await cutOff()).map((one) => ({ ...one, meta: { ...one.meta, aside: one.id === 'host/c' } }))
  const free = hosts.map((one) => ({ ...one, meta: { ...one.meta, aside: false } }))
  const first = await planWith(restored, free, archives)
  const restore = first.remodels.flatMap(({ step, input }) => {
    const given = step === 'set-up-instance' ? inputs['set-up-instance'].parse(input).restore : null
    return given ? [given] : []
  })
  const mark = { id: 'restored/n2', attributes: { key: restore[0]!.key, primary: 'n2-c' }, needs: [], meta: {} }
  const plan = await planWith(restored, [...hosts, mark], archives)
  const roles = plan.remodels.filter(({ id }) => id === 'set-up-instance instance/n2-c').map(({ input }) => input)
  expect(roles).toMatchObject([{ role: 'found', restore: null }])
})

test('a document that has no use for that host is refused, unless it may lose data', async () => {
  const without = { ...wish, nodes: { n1: 'a', n2: 'c' } }
  await expect(planOf(without, await cutOff())).rejects.toMatchObject({
    faults: [{ message: expect.stringContaining('host b has what its node had before a restore') }],
  })
})
