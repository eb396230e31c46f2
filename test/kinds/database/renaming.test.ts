import { describe, expect, test } from 'vitest'
import type { BackupSummary } from '../../../kinds/database/api/backup.ts'
import { inputs } from '../../../kinds/database/inputs.ts'
import { archiveObservation } from '../../../kinds/database/plan/archived.ts'
import { renamedMaterial } from '../../../kinds/database/renaming.ts'
import { planOffline } from '../../../services/planner/planning/offline.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'
import { builtBy } from './built.ts'
import { documentOf, type Wish } from './document.ts'
import { planOf as planWith } from './planned.ts'

const two: Wish = { net: 80, nodes: { n1: 'a', n2: 'bc' }, users: [{ username: 'n2', password: 'x', attributes: [] }] }
const other: Wish = { ...two, nodes: { n1: 'a', n5: 'bc' } }

const planOf = (wish: Wish, materials: ActualMaterial[]) =>
  planOffline({
    files: [{ name: 'shop.yml', content: documentOf(wish) }],
    releases: [],
    options: {},
    floorplan: { deployment: 'shop', version: 1, materials },
  })
const actual = async (wish = two) => builtBy(await planOf(wish, []))
const withMeta = (materials: readonly ActualMaterial[], of: string, meta: object): ActualMaterial[] =>
  materials.map((material) =>
    material.id === of ? { ...material, meta: { ...material.meta, ...(meta as ActualMaterial['meta']) } } : material,
  )
const stepsOf = async (wish: Wish, materials: ActualMaterial[]) => (await planOf(wish, materials)).remodels

describe('a node that stands, on exactly the hosts of one that the document has under another name', () => {
  test('is renamed: nothing of it is made, changed or taken away', async () => {
    const { remodels, consequences } = await planOf(other, await actual())
    expect(remodels.map(({ step, needs }) => [step, needs])).toEqual([
      ['rename-node', []],
      ['share-sequences', [remodels[0]!.id]],
    ])
    expect(consequences?.[0]).toBe(
      'node n2 is called n5 from now on, and keeps its servers, data and links; writes on it wait for about 1 s',
    )
    const input = inputs['rename-node'].parse(remodels[0]!.input)
    expect(input).toMatchObject({ from: 'n2', to: 'n5', keep: ['instance_n1_a', 'instance_n5_b', 'instance_n5_c'] })
    expect(input.members.map(({ instance }) => instance)).toEqual(['n5-b', 'n5-c'])
    expect(Object.keys(input.peers)).toEqual(['n1'])
  })

  test('and is recorded then as one that was made under that name', async () => {
    const materials = await actual()
    const renamed = materials.map((material) => renamedMaterial(material, { from: 'n2', to: 'n5' }))
    const made = await actual(other)
    const byId = (all: readonly ActualMaterial[]) => new Map(all.map((material) => [material.id, material]))
    expect(byId(renamed)).toEqual(byId(made))
    expect(await stepsOf(other, renamed)).toEqual([])
  })

  test('comes first, and everything else of the document behind it, under the new name', async () => {
    const changed: Wish = { ...other, nodes: { n1: 'a', n5: 'bcd' }, settings: { work_mem: '8MB' } }
    const refused = planOf(changed, await actual())
    await expect(refused).rejects.toMatchObject({
      faults: ['b', 'c'].map((host) => ({
        message: `host ${host} has the data of node n2: keep the name, or remove n2 in a deploy of its own first`,
      })),
    })
    const remodels = await stepsOf({ ...other, settings: { work_mem: '8MB' } }, await actual())
    expect(remodels.map(({ step }) => step)).toContain('set-up-instance')
    const [rename, share, ...rest] = remodels
    expect([rename!.step, share!.step]).toEqual(['rename-node', 'share-sequences'])
    const behind = rest.filter(({ needs }) => needs.includes(share!.id))
    expect(behind.length).toBeGreaterThan(0)
    expect(rest.filter(({ needs }) => needs.length === 0)).toEqual([])
    expect(JSON.stringify(rest)).not.toMatch(/n2-b|n2-c/)
  })

  test('is renamed with another one, whose links it shares, in one deploy', async () => {
    const remodels = await stepsOf({ ...two, nodes: { n4: 'a', n5: 'bc' } }, await actual())
    const renames = remodels
      .filter(({ step }) => step === 'rename-node')
      .map(({ input }) => inputs['rename-node'].parse(input))
    expect(renames.map(({ from, to, peers }) => [from, to, Object.keys(peers)])).toEqual([
      ['n1', 'n4', ['n2']],
      ['n2', 'n5', ['n4']],
    ])
    expect(renames[1]!.materials).toContain('subscription/n4:n2:shop')
    expect(remodels.map(({ step }) => step)).toEqual([
      'rename-node',
      'share-sequences',
      'rename-node',
      'share-sequences',
    ])
  })

  test('keeps the mark of a restore that was carried out, so it is not restored again', async () => {
    const restored: ActualMaterial = {
      id: 'restored/n2',
      attributes: { key: 'once', primary: 'n2-b' },
      needs: [],
      meta: {},
    }
    const [rename] = await stepsOf(other, [...(await actual()), restored])
    expect(inputs['rename-node'].parse(rename!.input).materials).toContain('restored/n2')
    expect(renamedMaterial(restored, { from: 'n2', to: 'n5' })).toEqual({
      ...restored,
      id: 'restored/n5',
      attributes: { key: 'once', primary: 'n5-b' },
    })
  })

  test('has what it wrote archived under its old name, and a first backup under the new one', async () => {
    const kept = { ...two, keep: 2 }
    const seen = (node: string, line: string | null, backups: BackupSummary[]) =>
      archiveObservation(
        { deployment: 'shop', node, line, now: line === null ? null : 5, nextXid: '9', end: '0/9', backups },
        { at: 1, observer: 'planner-1' },
      )
    const backup = (node: string, line: string): BackupSummary => ({
      ...{ id: `${node}-${line}`, node, line, from: 0, until: 1, stop: '0/1', nextXid: '3' },
      ...{ dataBytes: 1, bytes: 1, logBytes: 1 },
    })
    const observations = [
      ...[seen('n1', 'a', [backup('n1', 'a')]), seen('n2', 'b', [backup('n2', 'b')])],
      seen('n5', null, []),
    ]
    const { remodels } = await planWith({ ...other, keep: 2 }, await actual(kept), observations)
    const behind = remodels.filter(({ step }) => step !== 'barrier').map(({ step, material }) => [step, material])
    expect(behind).toEqual([
      ['archive-log', 'archive/n2'],
      ['rename-node', 'node/n5'],
      ['share-sequences', 'sequences/n5'],
      ['back-up-node', 'archive/n5'],
    ])
  })

  const refusals: [name: string, of: string, meta: object, why: string][] = [
    ['a server of it that does not run', 'instance/n2-c', { health: 'down' }, 'its server n2-c does not run'],
    ['another node without its primary', 'instance/n1-a', { health: 'down' }, 'n1-a, the primary of n1, does not run'],
    ['a drain', 'node/n2', { drain: 'begun' }, 'it is being drained'],
    [
      'a link that has stopped',
      'subscription/n1:n2:shop',
      { link: {} },
      'the link from n1 to n2 is not as it should be',
    ],
    ['a slot that was lost', 'replication_slot/n2:n1:shop', { lost: 'it is gone' }, 'the link from n2 to n1 is not'],
  ]
  test.each(refusals)('is refused at its line beside %s', async (_, of, meta, why) => {
    await expect(planOf(other, withMeta(await actual(), of, meta))).rejects.toMatchObject({
      faults: [{ path: 'nodes[1].name', message: expect.stringContaining(why), line: expect.any(Number) }],
    })
  })

  test('is refused at its line beside another primary for it', async () => {
    await expect(planOf({ ...other, primary: { n5: 'c' } }, await actual())).rejects.toMatchObject({
      faults: [{ path: 'nodes[1].name', message: expect.stringContaining('n5 gets another primary') }],
    })
  })

  test('is renamed to the end where an attempt was given up in the middle', async () => {
    const materials = await actual()
    const lost = (id: string) => {
      const material = materials.find((one) => one.id === id)!
      const resource = { ...(material.meta.resource as object), needs_recreate: true }
      return [{ ...material, meta: { resource, lost: 'it is gone', missed: null } as ActualMaterial['meta'] }]
    }
    const [slot] = lost('replication_slot/n2:n1:shop')
    const { lost: _, missed: __, ...stray } = renamedMaterial(slot!, { from: 'n2', to: 'n5' }).meta
    const found: ActualMaterial = { ...renamedMaterial(slot!, { from: 'n2', to: 'n5' }), meta: stray }
    const world = [...materials.map((one) => (one.id === slot!.id ? slot! : one)), found]
    expect((await stepsOf(other, world)).map(({ step }) => step)).toEqual(['rename-node', 'share-sequences'])
  })
})
