import { readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { DatabaseClient } from '../../../kinds/database/api/client.ts'
import { Archives } from '../../../kinds/database/archive/archives.ts'
import type { Client } from '../../../shared/api/client.ts'
import { DiskBlobstore } from '../../../shared/blobstore/disk.ts'
import { Ledger } from '../../../shared/ledger/ledger.ts'
import { connectRedis } from '../../../shared/runtime/redis.ts'
import { remodel } from '../../cli/remodel.ts'
import { settled, startServices, type TestStack } from '../../support/services.ts'
import { ownNet } from './net.ts'
import { actual, ask, askServer, carryOut, deploy, documentOf, expectWhole, remove, type Wish } from './support.ts'
import { Writer } from './writer.ts'

let stack: TestStack
let client: Client
const net = await ownNet()
const wish = { net, nodes: { n1: 'ab', n2: 'cd' }, keep: 9 } satisfies Wish

beforeAll(async () => {
  const env = { REMODEL_ARCHIVE_SECONDS: '2', REMODEL_KEEP_BLOBS_DAYS: '0.000001' }
  stack = await startServices({ planner: 1, assembler: 2 }, env)
  client = stack.client()
})

afterAll(() => stack.stop())

const idsOn = async (hosts: string, where = 'true') =>
  (await ask(net, hosts, `SELECT id FROM entry WHERE ${where} ORDER BY id`)).map(([id]) => String(id))

/** The server's clock, to the microsecond. */
const clock = async (hosts: string) => {
  const [[time]] = (await ask(
    net,
    hosts,
    `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
  )) as [[string]]
  return time
}

/** Own rows of a node that it had committed by a time: a server keeps the time of each commit itself. */
const ownAt = (node: string, hosts: string, time: string) =>
  idsOn(hosts, `node LIKE '${node}%' AND pg_xact_commit_timestamp(xmin) <= '${time}'`)

const run = (...args: string[]) =>
  remodel([...args, '--planner', stack.client().address.url], { env: { REMODEL_HOME: stack.home } })
const planned = (of: Wish) => client.plan({ manifest: { name: 'shop.yml', content: documentOf(of) } })
const toDo = async (of: Wish) => (await planned(of)).plan.remodels.map(({ title }) => title)
const time = (target: string, more: object = {}) => ({ restore_options: { type: 'time', target }, ...more })

/** Takes writers' rows to two nodes while `work` is done. */
async function whileWritten<T>(mark: string, work: () => Promise<T>): Promise<{ acknowledged: string[]; done: T }> {
  const writers = [new Writer(net, `n1-${mark}`, 'ab'), new Writer(net, `n2-${mark}`, 'cd')]
  try {
    await sleep(700)
    const done = await work()
    await sleep(300)
    await Promise.all(writers.map((writer) => writer.stop()))
    console.log(
      `${mark}, longest gaps in ms:`,
      writers.map((writer) => writer.takeGap()),
    )
    return { acknowledged: writers.flatMap(({ acknowledged }) => acknowledged), done }
  } finally {
    await Promise.all(writers.map((writer) => writer.stop()))
  }
}

/** Followed by their replicas, with exactly the slots that they need. */
async function expectInOrder(nodes: Record<string, string>): Promise<void> {
  for (const [node, hosts] of Object.entries(nodes)) {
    const peers = Object.keys(nodes).filter((other) => other !== node)
    await vi.waitFor(
      async () => {
        const slots = (await ask(net, hosts, 'SELECT slot_name FROM pg_replication_slots ORDER BY 1')).flat()
        const logical = peers.map((peer) => `remodel_${node}_${peer}`)
        const physical = slots.filter((name) => String(name).startsWith('instance_'))
        expect(slots).toEqual([...physical, 'remodel_archive', ...logical].sort())
        expect(physical).toHaveLength(hosts.length - 1)
        expect((await ask(net, hosts, 'SELECT subname FROM pg_subscription ORDER BY 1')).flat()).toEqual(
          peers.map((peer) => `remodel_${peer}_${node}`).sort(),
        )
        const origins = await ask(net, hosts, 'SELECT count(*)::int FROM pg_replication_origin')
        expect(origins).toEqual([[peers.length]])
        const counts = await Promise.all(
          [...hosts].map((letter) => askServer(net, letter, 'SELECT count(*) FROM entry')),
        )
        expect(new Set(counts.flat(2)).size, `replicas of ${node} have what it has`).toBe(1)
      },
      { timeout: 30_000, interval: 200 },
    )
    for (const letter of hosts) {
      const vm = await stack.provider.connect(`db-shop-${letter}`, null)
      const { stdout } = await vm.exec([
        '/bin/sh',
        '-c',
        'ls /var/vcap/store/postgres; ls /var/vcap/store/postgres/data/*.signal',
      ])
      vm.close()
      expect(stdout.split('\n').filter((name) => /aside|replayed|fences|recovery/.test(name))).toEqual([])
    }
  }
}

/** One database through its life; each test goes on where the one before it ended. */
describe('a database that is backed up', { timeout: 300_000 }, () => {
  /** A moment without writes, and the rows on n2 then. */
  let quiet = { moment: '', ids: [] as string[] }

  test('has a base backup of each node as soon as it stands, and needs nothing more', async () => {
    await deploy(client, wish)
    const backups = await new DatabaseClient(client).backups('shop')
    expect(backups.map(({ node }) => node).sort()).toEqual(['n1', 'n2'])
    for (const { from, until } of backups) expect(until).toBeGreaterThanOrEqual(from)
    expect(await toDo(wish)).toEqual([])
  })

  test('is archived as it is written to, without any plan, and no server keeps its log for longer', async () => {
    const { done } = await whileWritten('archived', async () => Date.parse(await clock('ab')))
    await vi.waitFor(
      async () => {
        const backups = await new DatabaseClient(client).backups('shop')
        for (const node of ['n1', 'n2']) {
          expect(backups.find((backup) => backup.node === node)?.until).toBeGreaterThan(done)
        }
      },
      { timeout: 60_000, interval: 500 },
    )
    for (const letter of 'abcd') {
      const kept = `SELECT slot_name FROM pg_replication_slots WHERE slot_name = 'remodel_archive'
        AND pg_wal_lsn_diff(coalesce(pg_last_wal_replay_lsn(), '0/0'), restart_lsn) < 3 * 16777216`
      expect(await askServer(net, letter, kept), letter).toEqual([['remodel_archive']])
    }
  })

  test('is backed up again while it is written to, on request', async () => {
    await whileWritten('backup', async () => {
      const { plan } = await client.planAction('shop', 'back-up', { nodes: ['n1'] })
      expect(plan.remodels.map(({ title }) => title)).toEqual(['back up n1'])
      const { code, stdout } = await run('backup-database', 'shop', '--node', 'n1', '-y')
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('shop is backed up') })
    })
    expect((await new DatabaseClient(client).backups('shop')).map(({ node }) => node).sort()).toEqual([
      'n1',
      'n1',
      'n2',
    ])
    const { stdout } = await run('backups', 'shop')
    const [headings, ...rows] = stdout.trim().split('\n')
    expect(headings).toMatch(/^Node +Backup +Taken at +Size +Log +Restorable$/)
    expect(rows).toHaveLength(3)
    for (const row of rows) expect(row).toMatch(/^n[12] +n[12]-\d{14}-\d+ +\S+Z +\S+ MiB +\S+ [KM]iB +up to \S+Z$/)
    await expect(client.planAction('shop', 'back-up', { nodes: ['n7'] })).rejects.toMatchObject({ code: 'not-found' })
    await expect(client.planAction('no-such', 'back-up', {})).rejects.toMatchObject({ code: 'not-found' })
  })

  test('a restore that cannot be, or that is not all that would change, is refused with its place; nothing changes', async () => {
    const wrong = async (of: Wish, ...told: { path: string; message: RegExp }[]) => {
      const error = await planned(of).then(
        () => ({ faults: [] }),
        (refusal) => refusal,
      )
      expect(error.faults, JSON.stringify(error)).toHaveLength(told.length)
      for (const [index, { path, message }] of told.entries()) {
        expect(error.faults[index]).toMatchObject({ file: 'shop.yml', path, line: expect.any(Number) })
        expect(error.faults[index].message).toMatch(message)
      }
    }
    const path = 'restore_config'
    const early = time('2020-01-01T00:00:00Z')
    const fine = { restore_options: {} }
    await wrong({ ...wish, restore: { all: early } }, { path, message: /no backup reaches 2020/ })
    await wrong(
      { ...wish, restore: { all: time('2120-01-01T00:00:00Z') } },
      { path, message: /no backup reaches 2120/ },
    )
    await wrong({ ...wish, restore: { n2: early } }, { path: 'nodes[1].restore_config', message: /no backup reaches/ })
    const nowhere = { ...fine, source_database_id: 'nowhere' }
    await wrong({ ...wish, restore: { all: nowhere } }, { path, message: /no backup of nowhere/ })
    await wrong(
      { ...wish, restore: { n1: { ...fine, source_node_name: 'n9' } } },
      {
        path: 'nodes[0].restore_config',
        message: /no backup of node n9/,
      },
    )
    const target = 'restore_config.restore_options.target'
    await wrong({ ...wish, restore: { all: time('yesterday') } }, { path: target, message: /a time with its zone/ })
    await wrong(
      { ...wish, restore: { all: { restore_options: { target: 'x' } } } },
      { path: target, message: /takes no target/ },
    )
    await wrong(
      { ...wish, settings: { work_mem: '7MB' }, restore: { n1: fine } },
      { path: 'nodes[0]', message: /n1 is restored and changed/ },
      { path: 'nodes[1]', message: /n2 is changed/ },
    )
    await wrong(
      { ...wish, nodes: { ...wish.nodes, n3: 'ef' }, restore: { n1: fine } },
      { path: 'nodes[2]', message: /n3 is new/ },
    )
    await wrong(
      { ...wish, source: { n2: 'n1' }, restore: { n2: fine } },
      { path: 'nodes[1].source_node', message: /choose one/ },
    )
    expect(await toDo(wish)).toEqual([])
  })

  test('all nodes come back to one moment: what was committed by then and nothing else, the same on all', async () => {
    let before: string[] = []
    let moment = ''
    await whileWritten('before', async () => {
      before = await idsOn('ab')
      moment = await clock('ab')
    })
    const own = await ownAt('n1', 'ab', moment)
    const others = await ownAt('n2', 'cd', moment)
    const { acknowledged: later } = await whileWritten('later', async () => {})
    await expectWhole(net, ['ab', 'cd'], later)
    quiet = { moment: await clock('cd'), ids: await idsOn('cd') }
    const asked = { ...wish, restore: { all: time(moment) } }
    const { plan } = await planned(asked)
    expect(plan.remodels[0]).toMatchObject({ step: 'prepare-restore', stage: 'prepare the restore' })
    await carryOut(client, plan.id, 120_000)
    const then = await idsOn('ab')
    expect(then.filter((id) => id.startsWith('n1'))).toEqual(own)
    expect(before.filter((id) => !then.includes(id))).toEqual([])
    expect(then.filter((id) => id.startsWith('n2') && !others.includes(id))).toEqual([])
    expect(await idsOn('cd'), 'also what was on its way between them').toEqual(then)
    await expectInOrder(wish.nodes)
    expect(await toDo(asked), 'asked again it is not done again').toEqual([])
    const { acknowledged } = await whileWritten('after', async () => {})
    await expectWhole(net, ['ab', 'cd'], [...then, ...acknowledged])
  })

  test('a moment behind a failover is reached from a backup before it', async () => {
    const taken = (await new DatabaseClient(client).backups('shop')).length
    await whileWritten('failover', async () => {
      const pid = await readFile(join(stack.home, 'machines', 'vms', 'db-shop-a', 'pid'), 'utf8')
      process.kill(Number(pid.split(' ')[0]), 'SIGKILL')
      await deploy(client, wish, 120_000)
    })
    expect(await askServer(net, 'b', 'SELECT pg_is_in_recovery()')).toEqual([[false]])
    const { acknowledged } = await whileWritten('behind', async () => {})
    await expectWhole(net, ['ab', 'cd'], acknowledged)
    const moment = await clock('ab')
    const then = await idsOn('ab')
    await whileWritten('undone', async () => {})
    expect((await new DatabaseClient(client).backups('shop')).length).toBe(taken)
    await deploy(client, { ...wish, restore: { all: time(moment, { source_node_name: 'n1' }) } }, 120_000)
    for (const hosts of ['ab', 'cd']) expect(await idsOn(hosts)).toEqual(then)
    await expectInOrder(wish.nodes)
  })

  test('one node comes back to a moment that an earlier restore had gone behind; the other goes on being written to', async () => {
    const asked = { ...wish, restore: { n2: time(quiet.moment) } }
    const other = new Writer(net, 'n1-beside', 'ab')
    try {
      await deploy(client, asked, 120_000)
    } finally {
      await other.stop()
    }
    console.log('restore of the other node, longest gap in ms:', other.takeGap())
    const there = new Set(await idsOn('ab'))
    expect(
      other.acknowledged.filter((id) => !there.has(id)),
      'nothing of the other node is lost',
    ).toEqual([])
    expect(await idsOn('cd', `id NOT LIKE 'n1-beside%'`)).toEqual(quiet.ids)
    await expectInOrder(wish.nodes)
    expect(await toDo(asked)).toEqual([])
    const { acknowledged } = await whileWritten('linked', async () => {})
    for (const hosts of ['ab', 'cd']) {
      await vi.waitFor(
        async () => {
          const known = new Set(await idsOn(hosts))
          expect(acknowledged.filter((id) => !known.has(id))).toEqual([])
        },
        { timeout: 20_000, interval: 200 },
      )
    }
  })

  test('a backup whose bytes are gone changes nothing', async () => {
    const before = await idsOn('ab')
    const archives = new Archives(connection(), settings(), await DiskBlobstore.open(join(stack.home, 'blobs')))
    const backup = (await archives.backups('shop')).findLast(({ node }) => node === 'n1')!
    const [digest] = backup.parts.map((part) => part.digest.slice('sha256:'.length)) as [string]
    const blob = join(stack.home, 'blobs', 'sha256', digest.slice(0, 2), digest.slice(2))
    await rename(blob, join(stack.home, 'away'))
    const asked = { ...wish, restore: { n1: { restore_options: { type: 'immediate', set: backup.id } } } }
    const { plan } = await planned(asked)
    await client.apply(plan.id, {})
    expect(await settled(client, plan.id)).toBe('failed')
    const { status } = await client.planView(plan.id)
    expect(status.errors).toMatchObject([{ code: 'job-failed', message: expect.stringMatching(/nothing was changed/) }])
    expect(await idsOn('ab')).toEqual(before)
    await rename(join(stack.home, 'away'), blob)
    expect(await toDo(wish)).toEqual(['forget that n2 was restored'])
  })

  test('its backups outlive it, whatever is cleaned up, and make another database of its data', async () => {
    const last = await clock('ab')
    const then = await idsOn('ab')
    await vi.waitFor(
      async () => {
        await ask(net, 'ab', 'SELECT pg_current_xact_id()')
        const newest = (await new DatabaseClient(client).backups('shop')).findLast(({ node }) => node === 'n1')
        expect(newest?.until).toBeGreaterThan(Date.parse(last) + 1)
      },
      { timeout: 60_000, interval: 500 },
    )
    await remove(client)
    expect(await actual(stack)).toEqual([])
    await client.cleanUp({ all: true })
    const config = time(last, { source_database_id: 'shop', source_node_name: 'n1' })
    const other = { ...wish, name: 'other', nodes: { n1: 'a', n2: 'c' }, restore: { all: config } }
    await deploy(client, other, 120_000)
    for (const hosts of ['a', 'c']) expect(await idsOn(hosts)).toEqual(then)
    const third = { ...other, nodes: { ...other.nodes, n3: 'e' } }
    await deploy(client, third, 120_000)
    expect(await idsOn('e'), 'who is added later is filled from those that stand').toEqual(then)
    await remove(client, 'other')
  })

  test('is forgotten with its backups: nothing is left', async () => {
    for (const name of ['shop', 'other']) {
      const { code, stdout } = await run('delete-backups', name, '-y')
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+ backups of \w+ deleted/) })
      expect(await new DatabaseClient(client).backups(name)).toEqual([])
    }
    await client.cleanUp({ all: true })
    await expect.poll(blobs, { timeout: 10_000 }).toEqual([])
    expect(await actual(stack)).toEqual([])
    expect(await client.deployments()).toEqual([])
  })
})

const settings = () => ({ url: stack.redis.url, prefix: 'remodel' })
let redis: ReturnType<typeof connectRedis> | undefined
function connection() {
  redis ??= connectRedis(settings(), 'request', { enableOfflineQueue: true })
  return redis
}
afterAll(() => redis?.disconnect())

/** All but history: plans that have ended and the orders of plans, which are kept for a while as one blob each. */
async function blobs(): Promise<string[]> {
  const ledger = new Ledger(connection(), settings())
  const history = new Set<string | null>()
  for (const name of await ledger.deployments()) {
    for (const { blob } of await ledger.orders(name)) history.add(blob)
    for (const plan of await ledger.planIds(name, 0))
      for (const blob of await connection().hmget(`${ledger.base(name)}:plan:${plan}`, 'blob', 'order'))
        history.add(blob)
  }
  const found = await readdir(join(stack.home, 'blobs', 'sha256'), { recursive: true })
  const digests = found.filter((name) => name.includes('/')).map((name) => `sha256:${name.replace('/', '')}`)
  return digests.filter((digest) => !history.has(digest))
}
