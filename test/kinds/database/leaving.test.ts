import { expect, test } from 'vitest'
import { planOffline } from '../../../services/planner/planning/offline.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'
import { builtBy } from './built.ts'
import { documentOf, type Wish } from './document.ts'

const wish: Wish = { net: 80, nodes: { n1: 'a', n2: 'b' } }
const one: Wish = { net: 80, nodes: { n1: 'a' } }

const planOf = (wanted: Wish, materials: ActualMaterial[], options = {}) =>
  planOffline({
    files: [{ name: 'shop.yml', content: documentOf(wanted) }],
    releases: [],
    options,
    floorplan: { deployment: 'shop', version: 1, materials },
  })

/** The two nodes as they stand, with what the inspector has to say of some of it. */
async function actual(seen: Record<string, ActualMaterial['meta']> = {}): Promise<ActualMaterial[]> {
  const built = builtBy(await planOf(wish, []))
  return built.map((material) => ({ ...material, meta: { ...material.meta, ...seen[material.id] } }))
}

const silent = { 'instance/n2-b': { health: 'down', machine: 'silent', data: true } }
const steps = async (wanted: Wish, materials: ActualMaterial[]) => {
  const { remodels } = await planOf(wanted, materials)
  return remodels.map(({ step, material }) => `${step} ${material}`)
}

test('a node that leaves is drained before anything is taken from it, and the plan says so first', async () => {
  const { remodels, consequences } = await planOf(one, await actual())
  expect(consequences?.[0]).toMatch(/^node n2 goes: its writes end/)
  const order = remodels.map(({ step }) => step)
  const at = order.indexOf('drain-node')
  expect(at).toBeGreaterThanOrEqual(0)
  for (const step of ['delete-subscription', 'delete-slot', 'remove-instance', 'delete-host']) {
    expect(order.indexOf(step), step).toBeGreaterThan(at)
  }
  const drained = remodels[at]!
  expect(remodels.filter(({ needs }) => needs.includes(drained.id)).length).toBeGreaterThan(0)
  expect(Object.keys((drained.input as { peers: object }).peers)).toEqual(['n1'])
})

test('where the same document adds a node, the other is drained ahead of its copy', async () => {
  const order = await steps({ net: 80, nodes: { n1: 'a', n3: 'c' }, source: { n3: 'n1' } }, await actual())
  const copy = order.findIndex((step) => step.startsWith('populate-node'))
  expect(copy).toBeGreaterThan(order.indexOf('drain-node drain/n2'))
})

test('a node that a new one is filled from is drained behind that, and the new one is to have what it wrote', async () => {
  const alone = builtBy(await planOf(one, []))
  const { remodels } = await planOf({ net: 80, nodes: { n2: 'b' }, source: { n2: 'n1' } }, alone)
  const order = remodels.map(({ step }) => step)
  expect(order.indexOf('drain-node')).toBeGreaterThan(order.indexOf('populate-node'))
  expect(remodels[order.indexOf('drain-node')]!.input).toMatchObject({
    node: 'n1',
    peers: { n2: [{ instance: 'n2-b' }] },
  })
})

test('a node that does not answer does not go, unless the loss is accepted: then nothing waits for it', async () => {
  await expect(planOf(one, await actual(silent))).rejects.toMatchObject({
    faults: [{ message: expect.stringMatching(/n2 does not answer.*--accept-loss/) }],
  })
  const { remodels, consequences } = await planOf(one, await actual(silent), { acceptLoss: true })
  expect(consequences?.[0]).toMatch(/^node n2 goes with what only it has: n2 does not answer/)
  expect(remodels.map(({ step }) => step)).not.toContain('drain-node')
})

test('a node whose link has stopped is refused with the number of rows', async () => {
  const stopped = { 'subscription/n2:n1:shop': { stopped: 'n1 cannot apply what n2 sent it', waiting: '1,767 rows' } }
  await expect(planOf(one, await actual(stopped))).rejects.toMatchObject({
    faults: [{ message: expect.stringContaining('1,767 rows would be lost') }],
  })
})

test('a node without data goes as it is, and its resources are not waited for', async () => {
  const empty = { 'instance/n2-b': { health: 'down', machine: 'answers', data: false } }
  const { remodels, consequences } = await planOf(one, await actual(empty))
  expect(consequences).toContain('node n2 has no data: it goes as it is')
  expect(remodels.map(({ step }) => step)).not.toContain('drain-node')
  const deletes = remodels.filter(({ step }) => step === 'delete-subscription' || step === 'delete-slot')
  const going = deletes.map(({ id, input }) => [id, (input as { going: boolean }).going])
  expect(Object.fromEntries(going)).toEqual({
    'delete-subscription subscription/n1:n2:shop': true,
    'delete-subscription subscription/n2:n1:shop': false,
    'delete-slot replication_slot/n1:n2:shop': false,
    'delete-slot replication_slot/n2:n1:shop': true,
  })
})

test('a node whose removal was cut off behind its drain comes back only by being added again', async () => {
  const links = ['replication_slot/n1:n2:shop', 'subscription/n1:n2:shop']
  const half = (await actual({ 'node/n2': { drain: 'done' } })).filter(({ id }) => !links.includes(id))
  await expect(planOf(wish, half)).rejects.toMatchObject({
    faults: [{ message: expect.stringContaining('node n2 is half removed') }],
  })
})

/** n2 has a replica, as it stands when its primary's machine is gone; `has`: what the replica has of its log. */
async function headless(has: number) {
  const both: Wish = { net: 80, nodes: { n1: 'a', n2: 'bc' } }
  const seen = { timeline: 1, lsn: 100 }
  const meta: Record<string, ActualMaterial['meta']> = {
    'host/b': { health: 'missing', disk: 'gone' },
    'instance/n2-b': { health: 'down' },
    'instance/n2-c': {
      health: 'running',
      role: 'replica',
      received: has,
      timeline: 1,
      lag_bytes: 0,
      slots: ['remodel_n2_n1'],
    },
    'node/n2': { commits: { of: ['n2-b', 'n2-c'], confirm: 1 }, seen: { 'n2-b': seen, 'n2-c': seen } },
  }
  return builtBy(await planOf(both, [])).map((material) => ({
    ...material,
    meta: { ...material.meta, ...meta[material.id] },
  }))
}

test('a node without its primary goes through the drain where a replica has all that it acknowledged: that takes over first', async () => {
  const { remodels, consequences } = await planOf(one, await headless(100))
  expect((consequences ?? []).join('\n')).toMatch(
    /node n2 goes without its primary n2-b: n2-c has all that it acknowledged, and takes over first/,
  )
  const order = remodels.map(({ step }) => step)
  expect(order.indexOf('fail-over')).toBeGreaterThanOrEqual(0)
  expect(order.indexOf('drain-node')).toBeGreaterThan(order.indexOf('fail-over'))
  expect(remodels.find(({ step }) => step === 'fail-over')!.input).toMatchObject({ to: 'n2-c', acceptLoss: false })
})

test('where commits waited for no replica, nothing says that one has all: the loss is to be accepted', async () => {
  const materials = (await headless(100)).map((material) =>
    material.id === 'node/n2'
      ? { ...material, meta: { ...material.meta, commits: { of: ['n2-b', 'n2-c'], confirm: 0 } } }
      : material,
  )
  await expect(planOf(one, materials)).rejects.toMatchObject({
    faults: [{ message: expect.stringMatching(/n2 does not answer.*--accept-loss/) }],
  })
})
