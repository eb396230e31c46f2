import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Database, Server } from '../../../kinds/database/cli/databases.ts'
import { judgementOf } from '../../../kinds/database/cli/verdict.ts'
import { deviations, warnings } from '../../../kinds/database/plan/deviations.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'
import { builtBy } from './built.ts'
import { planOf } from './planned.ts'

/** How a server is. The inspector and `describe` look at the same server and write it down each in their own way. */
const conditions = ['primary', 'replica', 'astray', 'failing', 'unresponsive', 'frozen', 'missing'] as const
type Condition = (typeof conditions)[number]
interface At {
  is: Condition
  received: number
  closed: '' | 'added' | 'opening'
}
type Scene = Readonly<Record<string, At>>

const instances = ['n1-a', 'n1-b', 'n2-c', 'n2-d']
const built = builtBy(await planOf({ net: 80, nodes: { n1: 'ab', n2: 'cd' } }))
const repair = [{ statement: 'DELETE FROM public.item WHERE id = 7', meaning: 'lets the row of n1 win' }]
const link = { from: 'n1', to: 'n2', why: 'a conflict at id 7', table: 'public.item', key: '(id)=(7)', repair }

/** As the inspector writes it (`kinds/database/inspection/inspector.ts`). */
function asFound({ is, received, closed }: At): ActualMaterial['meta'] {
  const shut = closed === '' ? {} : { closed }
  switch (is) {
    case 'primary':
      return { health: 'running', role: 'primary', received, ...shut }
    case 'replica':
      return { health: 'running', role: 'replica', received, lag_bytes: 0, ...shut }
    case 'astray':
      return { health: 'running', role: 'replica', received, lag_bytes: null, ...shut }
    case 'failing':
      return { health: 'down', machine: 'answers', process: 'stopped', ...shut }
    case 'unresponsive':
      return { health: 'down', machine: 'answers', ...shut }
    case 'frozen':
      return { health: 'down', machine: 'silent' }
    case 'missing':
      return { health: 'down' }
  }
}

/** As the server describes itself (`kinds/database/live/describe.ts`). */
function asDescribed(instance: string, { is, received, closed }: At, stopped: Server['database']['stopped']): Server {
  const [node = '', host = ''] = instance.split('-')
  const answers = is === 'primary' || is === 'replica' || is === 'astray'
  const state = is === 'astray' ? 'failing' : answers ? 'running' : is === 'frozen' ? 'unresponsive' : is
  const seesMachine = is !== 'frozen' && is !== 'missing'
  return {
    ...{ instance, state, az: null, addresses: [], vm: null, stemcell: null, disk: null, processes: [], intents: [] },
    database: {
      ...{ database: 'shop', port: 5432, node, host, peers: [], archive: null, kept: [], version: null },
      ...{ startedAt: null, waitingCommits: null, slots: [], disk: null, tls: null },
      closed: seesMachine ? closed : '',
      role: is === 'primary' ? 'primary' : answers ? 'replica' : null,
      receivedBytes: answers ? received : null,
      lagBytes: is === 'replica' ? 0 : null,
      stopped: is === 'primary' && node === 'n2' ? stopped : [],
    },
  }
}

function floorplanOf(scene: Scene, stopped: boolean): ActualMaterial[] {
  // The server that takes the writes of n2 says what it does not get.
  const says = stopped && (scene['n2-c']?.is === 'primary' || scene['n2-d']?.is === 'primary')
  return built.map((material): ActualMaterial => {
    const at = scene[material.id.replace('instance/', '')]
    if (at) return { ...material, meta: { ...material.meta, ...asFound(at) } }
    if (material.id !== 'subscription/n1:n2:shop' || !says) return material
    return { ...material, meta: { ...material.meta, link } }
  })
}

function databaseOf(scene: Scene, stopped: boolean): Database {
  const servers = Object.entries(scene).map(([instance, at]) => asDescribed(instance, at, stopped ? [link] : []))
  const nodes = [...Map.groupBy(servers, ({ database }) => database.node)].map(([node, own]) => ({
    ...{ node, instances: own, archive: null, lastBackupAt: null },
    primary: own.find(({ database }) => database.role === 'primary')?.database.host ?? null,
  }))
  const rest = { lastPlan: null, progress: null, lock: null, causes: [], versions: [], state: 'running' as const }
  return { name: 'shop', database: 'shop', nodes, ...rest }
}

const byPlanner = (scene: Scene, stopped = false) =>
  deviations({ materials: floorplanOf(scene, stopped), observations: [] }, 'shop').map(({ material, what, next }) => [
    `${material.slice(material.indexOf('/') + 1)} ${what}`,
    next ?? null,
  ])
const byCommand = (scene: Scene, stopped = false) =>
  judgementOf(databaseOf(scene, stopped))
    .causes.filter(({ warning }) => !warning)
    .map(({ what, next }) => [what, next])

const at = (is: Condition, received = 1, closed: At['closed'] = ''): At => ({ is, received, closed })
const well: Scene = { 'n1-a': at('primary'), 'n1-b': at('replica'), 'n2-c': at('primary'), 'n2-d': at('replica') }

test('of a database that is well planner and command find nothing', () => {
  expect([byPlanner(well), byCommand(well)]).toEqual([[], []])
})

const deploy = 'remodel deploy FILE, with the document of shop'

test.for<{ scene: Scene; stopped?: boolean; says: [string, string | null][] }>([
  {
    scene: { ...well, 'n1-a': at('missing') },
    says: [
      [
        'n1 takes no writes: n1-a is missing: its machine on host a is gone; n1-b has most of the log of those that answer',
        'remodel promote shop n1-b',
      ],
    ],
  },
  {
    scene: { ...well, 'n1-a': at('failing'), 'n1-b': at('frozen') },
    says: [
      [
        'n1 takes no writes: n1-a is failing: its server on host a does not run, n1-b is unresponsive: its machine on host b or the server on it does not answer',
        'remodel logs shop n1-a',
      ],
    ],
  },
  { scene: { ...well, 'n2-d': at('missing') }, says: [['n2-d is missing: its machine on host d is gone', deploy]] },
  {
    scene: { ...well, 'n2-d': at('failing') },
    says: [['n2-d is failing: its server on host d does not run', 'remodel logs shop n2-d']],
  },
  { scene: { ...well, 'n2-d': at('astray') }, says: [['n2-d follows no other server', deploy]] },
  {
    scene: { ...well, 'n2-c': at('primary', 1, 'added'), 'n2-d': at('replica', 1, 'added') },
    says: [['n2 is being added: closed to clients until every other node gets what is written to it', deploy]],
  },
  { scene: { ...well, 'n2-c': at('primary', 1, 'opening') }, says: [['n2 lets no client in on n2-c', deploy]] },
  {
    scene: well,
    stopped: true,
    says: [
      [
        'n2 gets nothing of what n1 writes: a conflict at id 7',
        'run on n2: DELETE FROM public.item WHERE id = 7; (lets the row of n1 win)',
      ],
    ],
  },
])('planner and command say the same: $says.0.0', ({ scene, stopped = false, says }) => {
  expect(byPlanner(scene, stopped)).toEqual(says)
  expect(byCommand(scene, stopped)).toEqual(says)
})

test('planner and command say the same of every state that four servers can be in', () => {
  const server = fc.record({
    is: fc.constantFrom(...conditions),
    received: fc.integer({ min: 1, max: 3 }),
    closed: fc.constantFrom('' as const, 'added' as const, 'opening' as const),
  })
  const scenes = fc.record(Object.fromEntries(instances.map((instance) => [instance, server])))
  fc.assert(
    fc.property(scenes, fc.boolean(), (scene, stopped) => {
      expect(byPlanner(scene, stopped)).toEqual(byCommand(scene, stopped))
    }),
    { numRuns: 2000 },
  )
})

test('a full disk is why a server of it does not run, for planner and command', () => {
  const disk = { freeBytes: 2 ** 20, totalBytes: 40 * 2 ** 30 }
  const scene = { ...well, 'n2-d': at('failing') }
  const found = floorplanOf(scene, false).map((material) =>
    material.id === 'instance/n2-d' ? { ...material, meta: { ...material.meta, disk } } : material,
  )
  const described = databaseOf(scene, false)
  described.nodes[1]!.instances[1]!.database.disk = disk
  const says = ['is failing: the disk of host d is full']
  expect(deviations({ materials: found, observations: [] }, 'shop').map(({ what }) => what)).toEqual(says)
  expect(judgementOf(described).causes.map(({ what }) => what)).toEqual(says.map((what) => `n2-d ${what}`))
})

test('planner and command warn of a disk that is nearly full in the same words', () => {
  const disk = { freeBytes: 2 ** 30, totalBytes: 40 * 2 ** 30 }
  const found = floorplanOf(well, false).map((material) =>
    material.id === 'instance/n1-a' ? { ...material, meta: { ...material.meta, disk } } : material,
  )
  const described = databaseOf(well, false)
  described.nodes[0]!.instances[0]!.database.disk = disk
  const says = ['n1-a has 1.0 GiB of 40.0 GiB of its disk left']
  expect(warnings({ materials: found, observations: [] }, 'shop')).toEqual(says)
  expect(judgementOf(described).causes.map(({ what }) => what)).toEqual(says)
  expect(deviations({ materials: found, observations: [] }, 'shop')).toEqual([])
})

test('nothing follows from what no inspector has looked at', () => {
  expect(deviations({ materials: built, observations: [] }, 'shop')).toEqual([])
})

test('a plan that is being carried out is not asked for a second time', () => {
  const scene = { ...well, 'n2-d': at('missing') }
  const { causes } = judgementOf({ ...databaseOf(scene, false), lock: 'another' })
  expect(causes.map(({ next }) => next)).toEqual([null])
})
