import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { type Failpoint, failpointsOf } from '../../chaos/failpoints.ts'
import { Lane } from './lane.ts'
import { actual, ask, askServer, expectWhole, type Wish } from './support.ts'
import { Writer } from './writer.ts'

/**
 * A service dies at every point of the kind, and at every point of the core that a plan passes, while a
 * database is written to and changed: the plan goes on to its end, nothing is lost or doubled, and nothing is
 * left of what was removed.
 *
 * A lane is a database of its own in a Remodel of its own; its services die at several points one after the
 * other, as most of the time is waiting until the dead worker's lock has run out. A new point of the kind is
 * armed where a node is added and removed; where that does not reach it, the test fails: give it to the lane that
 * does, or extend what a lane does.
 */
const started = performance.now()
const killed = new Set<string>()

/** Only a log of a day and more is packed: `test/kinds/database/server/packs.test.ts` kills there. */
const inLongLog = /^archive\.pack/
/**
 * A server goes back to its earlier settings, a role of an earlier document is closed, a restore is withdrawn:
 * `settings.test.ts`, `roles.test.ts`, `withdrawn.test.ts`.
 */
const inRefusal = /^set-up-instance\.(going-back|role-closed|put-back)$/
/** Servers are started again because that was asked for: `verbs.test.ts`. */
const inVerbs = /^restart-server\./
/** A node gets another name: `rename.test.ts`. */
const inRenaming = /^rename-node\./
/**
 * A server takes over without all of its node's log: `forked.test.ts`, which kills before the promotion,
 * behind it and at a reader.
 */
const inFork = /^fork\./
const elsewhere = [inLongLog, inRefusal, inVerbs, inRenaming, inFork]
const own = failpointsOf('database').filter(({ name }) => !elsewhere.some((points) => points.test(name)))
/**
 * What every plan passes; a database compiles nothing. Plans that are cancelled or forgotten:
 * `test/chaos/every-failpoint.test.ts`.
 */
const core = failpointsOf('deployment').filter(({ name }) =>
  /^(assembler|dispatch|ledger)\.(?!joined|cancelled|forgotten)/.test(name),
)
/** Reached by a first deploy, a restart for a parameter, another primary. */
const inLife =
  /^set-up-instance\.(founded|role|restarted)$|^(rehearse|share-sequences|arrange-node|set-up-database|switch-over|fail-over|kept)\./
/** Reached where a node is without a primary. */
const inMending = /^promote-node\./
/** Reached where a switch-over is cancelled. */
const inCancelling = /^switch-over\.taken-back$/
/** Reached by backups and restores. */
const inArchive = /^(archive|back-up-node|restore)\.|^remove-instance\.aside$/

/**
 * A remodel may lose its worker four times: points of one file, which are mostly of one step, go to different lanes.
 */
function share(points: readonly Failpoint[], index: number, of: number): Failpoint[] {
  const files = Map.groupBy(points, ({ at }) => at.split(':')[0])
  return [...files.values()].flatMap((group, file) => group.filter((_, at) => (file + at) % of === index))
}

const restoring = own.filter(({ name }) => inArchive.test(name))
const mending = own.filter(({ name }) => inMending.test(name))
const cancelling = own.filter(({ name }) => inCancelling.test(name))
const living = own.filter(({ name }) => inLife.test(name) && !inCancelling.test(name))
const adding = own.filter((point) => ![restoring, mending, cancelling, living].some((list) => list.includes(point)))
const two = { nodes: { n1: 'a', n2: 'c' }, tls: { mode: 'on' as const } }
const three = { ...two, nodes: { n1: 'a', n2: 'c', n3: 'ef' }, source: { n3: 'n1' } }

async function expectNothingOf(node: string, lane: Lane): Promise<void> {
  for (const hosts of ['a', 'c']) {
    const like = `LIKE '%${node}%'`
    expect(await ask(lane.net, hosts, `SELECT slot_name FROM pg_replication_slots WHERE slot_name ${like}`)).toEqual([])
    expect(await ask(lane.net, hosts, `SELECT subname FROM pg_subscription WHERE subname ${like}`)).toEqual([])
    expect(await ask(lane.net, hosts, 'SELECT count(*)::int FROM pg_replication_origin')).toEqual([[1]])
    expect(await ask(lane.net, hosts, 'SELECT count(*)::int FROM pg_replication_slots')).toEqual([[1]])
  }
  expect(await actual(lane)).toEqual(['a', 'c'].flatMap((host) => [`db-shop-${host}`, `db-shop-${host}-data`]))
}

/** Writes to all nodes while something is done; then every acknowledged row is on every node once. */
async function written(lane: Lane, nodes: string[], after: string[], what: () => Promise<void>): Promise<void> {
  const writers = nodes.map((hosts, index) => new Writer(lane.net, `n${index + 1}-${performance.now()}`, hosts))
  try {
    await sleep(300)
    await what()
    await sleep(300)
  } finally {
    await Promise.all(writers.map((writer) => writer.stop()))
  }
  await expectWhole(
    lane.net,
    after,
    writers.flatMap(({ acknowledged }) => acknowledged),
  )
}

/** A third node comes and goes. */
async function addAndRemove(lane: Lane, points: readonly Failpoint[]): Promise<void> {
  await lane.deploy(two)
  await lane.arm(points)
  await written(lane, ['a', 'c'], ['a', 'c', 'ef'], () => lane.deploy(three))
  await written(lane, ['a', 'c'], ['a', 'c'], () => lane.deploy(two))
  await expectNothingOf('n3', lane)
}

/**
 * From nothing, over a parameter and another primary, to the loss of a primary. The primary changes twice: a change
 * passes more points than a remodel may lose workers.
 */
async function live(lane: Lane, points: readonly Failpoint[]): Promise<void> {
  const second = points.filter(({ name }) => name.startsWith('switch-over.')).filter((_, at) => at % 2 === 1)
  await lane.arm(points.filter((point) => !second.includes(point)))
  const wish: Omit<Wish, 'net'> = { nodes: { n1: 'ab', n2: 'cd' }, extensions: ['pg_trgm'] }
  await lane.deploy(wish)
  const both = ['ab', 'cd']
  const settings = { max_connections: 70 }
  // One that does not draw the node's own numbers.
  for (const hosts of both) {
    await ask(lane.net, hosts, 'CREATE SEQUENCE made_since')
    await ask(lane.net, hosts, 'ALTER SEQUENCE made_since INCREMENT BY 1')
  }
  await written(lane, both, both, () => lane.deploy({ ...wish, settings }))
  await written(lane, both, both, () => lane.deploy({ ...wish, settings, primary: { n1: 'b' } }))
  await lane.arm(second)
  await written(lane, both, both, () => lane.deploy({ ...wish, settings, primary: { n1: 'a' } }))
  await lane.arm(points)
  await written(lane, both, both, async () => {
    await lane.killMachine('a')
    await lane.deploy({ ...wish, settings })
  })
}

const isBackupRead = (said: string) => /^fetching backup \S+: part 1 of/.test(said)

/** Backed up, and brought back to a moment of before. */
async function bringBack(lane: Lane, points: readonly Failpoint[]): Promise<void> {
  const wish: Omit<Wish, 'net'> = { nodes: { n1: 'ab', n2: 'c' }, keep: 3 }
  const both = ['ab', 'c']
  const rows = (hosts: string) => ask(lane.net, hosts, 'SELECT id FROM entry ORDER BY id')
  await lane.arm(points)
  await lane.deploy(wish)
  await written(lane, both, both, () => sleep(500))
  const then = await rows('ab')
  const [[target]] = (await ask(lane.net, 'ab', 'SELECT clock_timestamp()::text')) as [[string]]
  await written(lane, both, both, () => sleep(500))
  expect((await rows('ab')).length).toBeGreaterThan(then.length)
  await lane.deploy({ ...wish, restore: { all: { restore_options: { type: 'time', target } } } })
  // A death while a log is replayed, or behind that, has the backup of that node not read again.
  const restores = [...(await lane.said()).values()].filter((said) => said.includes('replaying the log'))
  expect(restores).toHaveLength(2)
  for (const said of restores) expect(said.slice(said.indexOf('replaying the log')).filter(isBackupRead)).toEqual([])
  for (const hosts of both) expect(await rows(hosts)).toEqual(then)
  await written(lane, both, both, () => sleep(500))
}

/** All servers of a node are replicas, as after a handover that was cut off; the next deploy gives it its primary. */
async function mend(lane: Lane, points: readonly Failpoint[]): Promise<void> {
  const wish: Omit<Wish, 'net'> = { nodes: { n1: 'ab' } }
  await lane.deploy(wish)
  await lane.arm(points)
  await written(lane, ['ab'], ['ab'], async () => {
    await lane.demote('ab')
    await lane.deploy(wish)
  })
}

/**
 * A switch-over is cancelled behind the stop of the old primary, which is the primary again; the next one goes through.
 */
async function cancelHandover(lane: Lane, points: readonly Failpoint[]): Promise<void> {
  const wish: Omit<Wish, 'net'> = { nodes: { n1: 'ab' } }
  const primary = { n1: 'b' }
  await lane.deploy(wish)
  await lane.arm(points, { 'switch-over.stopped': 'sleep:3000' })
  await written(lane, ['ab'], ['ab'], async () => {
    await lane.cancel({ ...wish, primary }, /^stopping /)
    expect(await askServer(lane.net, 'a', 'SELECT pg_is_in_recovery()')).toEqual([[false]])
    await lane.arm(points)
    await lane.deploy({ ...wish, primary })
    expect(await askServer(lane.net, 'b', 'SELECT pg_is_in_recovery()')).toEqual([[false]])
  })
}

const lanes = [
  { name: 'through its life', points: living, play: live },
  { name: 'while its node is without a primary', points: mending, play: mend },
  { name: 'while a switch-over is cancelled', points: cancelling, play: cancelHandover },
  { name: 'while it is backed up and restored', points: share(restoring, 0, 2), play: bringBack },
  {
    name: 'while it is backed up and restored, next points',
    points: share(restoring, 1, 2),
    play: bringBack,
  },
  { name: 'while a node is added and removed', points: share(adding, 0, 3), play: addAndRemove },
  { name: 'while a node is added and removed, next points', points: share(adding, 1, 3), play: addAndRemove },
  { name: 'while a node is added and removed, last points', points: share(adding, 2, 3), play: addAndRemove },
  { name: 'of the core while a node is added and removed', points: core, play: addAndRemove },
]

describe('services that are killed at every point', () => {
  test('each point of the kind belongs to one lane', () => {
    const names = lanes.flatMap(({ points }) => points.map(({ name }) => name))
    expect(names.toSorted()).toEqual([...own, ...core].map(({ name }) => name).toSorted())
  })

  test.concurrent.for(lanes)('$name', { timeout: 600_000 }, async ({ name, points, play }, { expect }) => {
    expect(points.length).toBeGreaterThan(0)
    const from = performance.now()
    const lane = await Lane.open()
    try {
      await play(lane, points)
      await lane.end()
      const alive = points.filter(({ name }) => !lane.killed.has(name)).map(({ name }) => name)
      expect(alive, 'never reached').toEqual([])
    } finally {
      for (const point of lane.killed) killed.add(point)
      console.log(`${name}: ${lane.killed.size} kills in ${Math.round((performance.now() - from) / 1000)} s`)
      await lane.close()
    }
  })

  afterAll(() => {
    const seconds = Math.round((performance.now() - started) / 1000)
    console.log(`killed at ${killed.size} of ${own.length + core.length} points in ${seconds} s`)
  })
})
