import { expect, test } from 'vitest'
import type { Database, Server } from '../../../../kinds/database/cli/databases.ts'
import { judgementOf } from '../../../../kinds/database/cli/verdict.ts'
import { changesOf, saidOf } from '../../../../kinds/database/cli/watching.ts'

type Facts = Partial<Server['database']>

function server(instance: string, state: string, facts: Facts): Server {
  const [node = '', host = ''] = instance.split('-')
  return {
    ...{ instance, state, az: null, addresses: ['127.0.0.1'], vm: `db-shop-${host}`, stemcell: null, disk: null },
    processes: [],
    intents: [],
    database: {
      ...{ database: 'shop', port: 5432, node, host, role: null, receivedBytes: null, lagBytes: null, peers: [] },
      ...{
        archive: null,
        kept: [],
        closed: '',
        version: '18.1',
        startedAt: 1,
        waitingCommits: null,
        slots: [],
        stopped: [],
        disk: null,
        tls: null,
      },
      ...facts,
    },
  }
}

const primary = (instance: string, facts: Facts = {}) => server(instance, 'running', { role: 'primary', ...facts })
const replica = (instance: string, facts: Facts = {}) =>
  server(instance, 'running', { role: 'replica', lagBytes: 0, receivedBytes: 900, ...facts })

function database(instances: Server[], more: Partial<Database> = {}): Database {
  const nodes = [...Map.groupBy(instances, (one) => one.database.node)].map(([node, own]) => ({
    ...{ node, instances: own, archive: null, lastBackupAt: null },
    primary: own.find(({ database }) => database.role === 'primary')?.database.host ?? null,
  }))
  const rest = { lastPlan: null, progress: null, lock: null, causes: [], versions: ['18.1'] }
  return { name: 'shop', database: 'shop', state: 'running', nodes, ...rest, ...more }
}

const told = (instances: Server[], more: Partial<Database> = {}) =>
  judgementOf(database(instances, more)).causes.map(({ what, next }) => [what, next])

test('a database that is well has no causes', () => {
  expect(told([primary('n1-a'), replica('n1-b'), primary('n2-c')])).toEqual([])
})

test('a node that does not get what another one writes says why, and each way to go on', () => {
  const link = {
    from: 'n1',
    to: 'n2',
    why: 'a row of n1 meets another one on n2: insert_exists in table public.item, key (id)=(7)',
    table: 'public.item',
    key: '(id)=(7)',
    repair: [
      { statement: 'DELETE FROM public.item WHERE id = 7', meaning: 'lets the row of n1 win' },
      { statement: 'ALTER SUBSCRIPTION one SKIP (lsn = 0/1)', meaning: 'leaves it out' },
    ],
  }
  expect(told([primary('n1-a'), primary('n2-c', { stopped: [link] })])).toEqual([
    [
      `n2 gets nothing of what n1 writes: ${link.why}`,
      'run on n2: DELETE FROM public.item WHERE id = 7; (lets the row of n1 win) or ALTER SUBSCRIPTION one SKIP (lsn = 0/1); (leaves it out)',
    ],
  ])
})

test('a node without a primary names why, who is ready, and the command; its replicas are not called failing', () => {
  const astray = { lagBytes: null }
  expect(
    told([
      server('n1-a', 'missing', {}),
      replica('n1-b', { ...astray, receivedBytes: 800 }),
      replica('n1-c', astray),
      primary('n2-d'),
    ]),
  ).toEqual([
    [
      'n1 takes no writes: n1-a is missing: its machine on host a is gone; n1-c has most of the log of those that answer',
      'remodel promote shop n1-c',
    ],
  ])
})

test('a node of which no server answers says what to do with each kind of silence', () => {
  const deploy = 'remodel deploy FILE, with the document of shop'
  expect(told([server('n1-a', 'unresponsive', {})])).toEqual([
    [expect.stringMatching(/^n1 takes no writes: n1-a is unresponsive/), deploy],
  ])
  expect(told([server('n1-a', 'failing', {})])[0]![1]).toBe('remodel logs shop n1-a')
  expect(told([server('n1-a', 'unresponsive', {})], { lock: 'another' })[0]![1]).toBeNull()
})

test('replicas that are gone or follow no server are named, and writes that wait for them', () => {
  const [gone, waits] = told([primary('n1-a', { waitingCommits: 12 }), server('n1-b', 'missing', {})])
  expect(gone![0]).toBe('n1-b is missing: its machine on host b is gone')
  expect(waits![0]).toBe('n1 has writes that wait: no replica is there to confirm them (12 sessions)')
  expect(told([primary('n1-a', { waitingCommits: 3 }), replica('n1-b')])).toEqual([])
  expect(told([primary('n1-a'), { ...replica('n1-b', { lagBytes: null }), state: 'failing' }])[0]![0]).toBe(
    'n1-b follows no other server',
  )
})

test('a disk that is nearly full, and log that is kept for a reader that is away, are warnings', () => {
  const disk = { freeBytes: 2 ** 30, totalBytes: 40 * 2 ** 30 }
  const slots = [{ reader: 'n2', connected: false, keptBytes: 3 * 2 ** 30 }]
  const { causes } = judgementOf(database([primary('n1-a', { disk, slots })]))
  expect(causes.map(({ what, warning }) => [what, warning])).toEqual([
    ['n1 keeps 3.0 GiB of its log for n2, which does not read it', true],
    ['n1-a has 1.0 GiB of 40.0 GiB of its disk left', true],
  ])
})

test('a node that is not connected is a warning, as it may be back within seconds', () => {
  const peers = [{ node: 'n2', connected: false, lagBytes: 9, lagSeconds: null }]
  expect(judgementOf(database([primary('n1-a', { peers }), primary('n2-c')])).causes).toEqual([
    { what: 'n2 is not connected to n1: what n1 writes waits for it', next: null, warning: true },
  ])
})

test('a full disk is why a server does not run, or can write no more', () => {
  const disk = { freeBytes: 2 ** 20, totalBytes: 40 * 2 ** 30 }
  expect(told([server('n1-a', 'failing', { disk }), replica('n1-b')])[0]![0]).toMatch(
    /^n1 takes no writes: n1-a is failing: the disk of host a is full; n1-b has most/,
  )
  expect(told([primary('n1-a', { disk })])).toEqual([
    ['n1-a can write no more: its disk is full', 'make room on host a'],
  ])
})

test('what is watched says each change once, and nothing where only amounts and times went on', () => {
  const peer = { node: 'n2', connected: true, lagBytes: 5, lagSeconds: 1 }
  const before = saidOf(database([primary('n1-a', { peers: [peer] }), replica('n1-b')]))
  const more = { ...peer, lagBytes: 99, lagSeconds: 7 }
  expect(
    changesOf(before, saidOf(database([primary('n1-a', { peers: [more] }), replica('n1-b', { lagBytes: 7 })]))),
  ).toEqual([])
  const after = saidOf(database([server('n1-a', 'missing', {}), replica('n1-b')], { state: 'down' }))
  expect(changesOf(before, after)).toEqual([
    { subject: 'shop', before: 'running', after: 'down' },
    { subject: 'n1', before: 'takes writes on a', after: 'takes no writes' },
    { subject: 'n1-a', before: 'primary, running', after: 'missing' },
    { subject: 'n1 to n2', before: 'connected', after: null },
  ])
})

test('a node that is being added is shown as closed to clients, and is not to be promoted', () => {
  const added = { closed: 'added', lagBytes: 0 }
  expect(told([primary('n1-a'), replica('n3-c', added), replica('n3-d', added)])).toEqual([
    [
      expect.stringMatching(/^n3 is being added: closed to clients until every other node/),
      expect.stringMatching(/^remodel deploy/),
    ],
  ])
  expect(told([primary('n3-c', { closed: 'opening' }), replica('n3-d', added)])).toEqual([
    ['n3 lets no client in on n3-c, n3-d', expect.stringMatching(/^remodel deploy/)],
  ])
})
