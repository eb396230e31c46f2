import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createStyle } from '../../../cli/views/style.ts'
import { DatabaseClient } from '../../../kinds/database/api/client.ts'
import { findDatabase } from '../../../kinds/database/cli/databases.ts'
import { databaseLines } from '../../../kinds/database/cli/views/database.ts'
import { connectRedis } from '../../../shared/runtime/redis.ts'
import { openAsClient } from '../../kinds/database/postgres.ts'
import { startServices, type TestStack } from '../../support/services.ts'
import { ownNet } from './net.ts'
import { addressOf, ask, deploy, remove, type Wish } from './support.ts'

let stack: TestStack
let redis: Redis
let net: number
let one: Wish
let other: Wish
beforeAll(async () => {
  net = await ownNet()
  one = { name: 'shop', net, nodes: { n1: 'a' }, keep: 2, settings: { autovacuum: 'off' } }
  other = { ...one, name: 'store', nodes: { n1: 'b' } }
  stack = await startServices({ planner: 1, assembler: 2 }, { REMODEL_ARCHIVE_SECONDS: '2' })
  redis = connectRedis({ url: stack.redis.url, prefix: 'remodel' }, 'service')
})
afterAll(async () => {
  redis.disconnect()
  await stack.stop()
})

/** Files of the log that were ended and archived. */
async function sealed(name: string): Promise<number> {
  const keys = await redis.keys(`remodel:{${name}}:archive:sealed:*`)
  const counts = await Promise.all(keys.map((key) => redis.hlen(key)))
  return counts.reduce((a, b) => a + b, 0)
}

async function walFile(letter: string, name: string): Promise<string> {
  const at = { vm: `db-${name}-${letter}`, address: addressOf(net, letter), port: 5432 }
  const session = await openAsClient(stack.provider, at, 'shop')
  try {
    return String(await session.value('SELECT pg_walfile_name(pg_current_wal_insert_lsn())'))
  } finally {
    await session.close()
  }
}

/** Waits until nothing is sealed for a while: what a deploy wrote is archived. */
async function quiet(name: string): Promise<void> {
  for (let last = -1, now = await sealed(name); now !== last; now = await sealed(name)) {
    last = now
    await sleep(5000)
  }
}

describe('archiving with two assemblers', { timeout: 200_000 }, () => {
  test('an idle database ends no file of its log and ships none, and what is written then comes at once', async () => {
    await deploy(stack.client(), one, 90_000)
    await quiet('shop')
    const before = { sealed: await sealed('shop'), file: await walFile('a', 'shop') }
    await sleep(12_000)
    expect({ sealed: await sealed('shop'), file: await walFile('a', 'shop') }).toEqual(before)
    const idle = await findDatabase('shop', stack.client())
    expect(idle.nodes[0]!.archive).toEqual({ archivedAt: expect.any(Number), late: false })
    await ask(net, 'a', "INSERT INTO entry VALUES ('x', 'n1') RETURNING id")
    await vi.waitFor(async () => expect(await sealed('shop')).toBe(before.sealed + 1), {
      timeout: 15_000,
      interval: 200,
    })
  })

  test('a server that stands still in the middle of a session holds up no other database', async () => {
    await deploy(stack.client(), other, 90_000)
    const frozen = await freezeArchiver()
    try {
      for (let n = 0; n < 3; n++) {
        const before = await sealed('store')
        await ask(net, 'b', `INSERT INTO entry VALUES ('y${n}', 'n1') RETURNING id`)
        await vi.waitFor(async () => expect(await sealed('store')).toBeGreaterThan(before), {
          timeout: 15_000,
          interval: 200,
        })
      }
    } finally {
      for (const pid of frozen) process.kill(pid, 'SIGCONT')
    }
    const before = await sealed('shop')
    await ask(net, 'a', "INSERT INTO entry VALUES ('z', 'n1') RETURNING id")
    await vi.waitFor(async () => expect(await sealed('shop')).toBeGreaterThan(before), {
      timeout: 60_000,
      interval: 200,
    })
  })

  test('a log that waits for an archive without a keeper is warned about, and only that', async () => {
    const assemblers = stack.services.filter(({ name }) => name === 'assembler')
    await quiet('shop')
    for (const service of assemblers) service.process.kill('SIGSTOP')
    const look = async () => {
      const found = await findDatabase('shop', stack.client())
      return { late: found.nodes[0]!.archive!.late, text: databaseLines(found, createStyle(false)).join('\n') }
    }
    await sleep(12_000)
    expect((await look()).late, 'it is idle: there is nothing to archive').toBe(false)
    await ask(net, 'a', "INSERT INTO entry VALUES ('late', 'n1') RETURNING id")
    expect((await look()).late, 'it was written just now').toBe(false)
    await expect.poll(async () => (await look()).late, { timeout: 20_000 }).toBe(true)
    expect((await look()).text).toMatch(/n1: last archived at .*Warning/)
    for (const service of assemblers) service.process.kill('SIGCONT')
    await expect.poll(async () => (await look()).late, { timeout: 30_000 }).toBe(false)
  })

  test('a database that is gone is followed no longer; its backups stay', async () => {
    await remove(stack.client(), 'store')
    await expect.poll(() => redis.smembers('remodel:archives'), { timeout: 20_000 }).toEqual(['shop'])
    expect(await new DatabaseClient(stack.client()).backups('store')).toHaveLength(1)
    await remove(stack.client(), 'shop')
  })
})

/** Freezes every session of archiving that comes to the first database, for ten seconds: as a disk that hangs does. */
async function freezeArchiver(): Promise<number[]> {
  const frozen: number[] = []
  const until = performance.now() + 20_000
  const { readdirSync, readFileSync } = await import('node:fs')
  while (frozen.length < 1 && performance.now() < until) {
    for (const pid of readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)) {
      try {
        // The title of a server process names role, database and who it serves; the machine is found by
        // its own cgroup of names.
        const title = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        if (!title.startsWith('postgres: remodel postgres [local]')) continue
        if (!readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(`${stack.home}/machines`)) continue
        if (!readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes('db-shop-a')) continue
        process.kill(pid, 'SIGSTOP')
        frozen.push(pid)
      } catch {
        // It has ended meanwhile.
      }
    }
    await sleep(1)
  }
  expect(frozen.length).toBeGreaterThan(0)
  return frozen
}
