import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KindRegistry } from '../../kinds/registry.ts'
import { Catalog } from '../../services/planner/catalog/catalog.ts'
import { mark } from '../../services/planner/housekeeping/mark.ts'
import { Moving } from '../../services/planner/housekeeping/moving.ts'
import { Settling } from '../../services/planner/planning/reservations/settling.ts'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import { RedisCompiledIndex } from '../../shared/compilation/compiled.ts'
import { linesOf } from '../../shared/history/lines.ts'
import { PlanHistory } from '../../shared/history/plan-history.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { steps } from '../reservation/steps.ts'
import { person } from '../support/actors.ts'
import { openKinds } from '../support/kinds.ts'
import { planOf, released, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let directory: string
let blobs: DiskBlobstore
let kinds: KindRegistry
let counter = 0
const log = pino({ level: 'silent' })
const lock = { by: person('test'), message: 'testing' }

beforeAll(async () => {
  server = await startRedis()
  directory = await mkdtemp(join(tmpdir(), 'remodel-history-'))
  blobs = await DiskBlobstore.open(directory)
  // A kind without names of its own, as hand-made plans are of.
  const own = await openKinds()
  kinds = new KindRegistry([{ ...own.get('deployment'), name: 'test', holdings: () => [] }])
})

afterAll(async () => {
  await server.stop()
  await rm(directory, { recursive: true, force: true })
})

function open() {
  const settings = { url: server.url, prefix: `h${++counter}` }
  const redis = connectRedis(settings, 'service')
  const ledger = new Ledger(redis, settings, { history: new PlanHistory(blobs) })
  const settling = new Settling(ledger, kinds)
  const moving = new Moving({ ledger, planners: { falls: () => true }, log })
  const run = async (id: string, needs: string[][], fails: (id: string) => boolean = () => false) => {
    const remodels = needs.map((of, i) => remodel(`${id}${i}`, of, { input: { given: i } }))
    const { version } = await ledger.floorplan('d')
    const plan = await ledger.store(planOf('d', remodels, { version }), 1)
    expect(await ledger.open('d', plan.id, lock)).toEqual({ status: 'ok' })
    await steps(ledger, 'd', plan.id, fails)
    return plan
  }
  const move = async () => {
    await settling.settleEnded()
    await moving.move(0)
  }
  const look = async (plan: string, one: string) => ({
    plan: await ledger.plan('d', plan),
    record: await ledger.planRecord('d', plan),
    remodels: (await ledger.remodelRecords('d', plan)).sort((a, b) => (a.id < b.id ? -1 : 1)),
    remodel: await ledger.remodel('d', plan, one),
    why: await ledger.waitsFor('d', plan, one),
    events: await ledger.events('d', 0),
  })
  return { redis, ledger, settling, moving, run, move, look }
}

const partsOf = (redis: ReturnType<typeof open>['redis'], plan: string) => redis.keys(`h*:{d}:plan:${plan}:*`)

describe('a plan that ended', () => {
  test('moves to the blobstore, and everything about it reads as before', async () => {
    const { redis, run, move, look } = open()
    const plan = await run('a', [[], ['a0'], ['a1'], ['a0']], (id) => id === 'a1')
    const before = await look(plan.id, 'a3')
    expect(before.record.state).toBe('failed')
    await move()
    expect(await partsOf(redis, plan.id)).toEqual([expect.stringMatching(/:errors$/)])
    expect(await redis.xlen(`h${counter}:{d}:events`)).toBe(0)
    expect(await look(plan.id, 'a3')).toEqual(before)
    redis.disconnect()
  })

  test('hides no event of a later one: pages are full, and events of one plan are found behind those of others', async () => {
    const { redis, ledger, run, move } = open()
    const first = await run('a', [[], ['a0']])
    const second = await run('b', [[], ['b0']])
    await move()
    const third = await run('c', [[], ['c0']])
    const all = await ledger.events('d', 0)
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, i) => i + 1))
    for (const { id } of [first, second, third]) {
      const own = all.filter(({ plan }) => plan === id)
      expect(own.length).toBeGreaterThan(3)
      expect(await ledger.events('d', 0, { plan: id })).toEqual(own)
      expect(await ledger.events('d', 0, { plan: id, limit: 2 })).toEqual(own.slice(0, 2))
      expect(await ledger.events('d', own[1]!.seq, { plan: id })).toEqual(own.slice(2))
    }
    expect(await ledger.events('d', 2, { limit: 12 })).toEqual(all.slice(2, 14))
    expect(await ledger.events('d', 0, { plan: 'p0' })).toEqual([])
    redis.disconnect()
  })

  test('moves also where it was cancelled before it was ever opened, and nothing else of it stays', async () => {
    const { redis, ledger, move, look } = open()
    const plan = await ledger.store(
      planOf('d', [remodel('a', [], { permit: 'p' }), remodel('b', ['a'])], {
        windows: [{ name: 'w', limit: 1 }],
        permits: [{ name: 'p', windows: ['w'] }],
      }),
      1,
    )
    expect(await ledger.cancel('d', plan.id, person('test'))).toBe('cancelled')
    // What it once waited for is of no interest any more.
    const { why: _, ...before } = await look(plan.id, 'b')
    await move()
    expect(await ledger.ended('d', plan.id)).not.toBe(null)
    expect(await partsOf(redis, plan.id)).toEqual([])
    expect(await look(plan.id, 'b')).toMatchObject(before)
    redis.disconnect()
  })

  test('does not move while it runs, nor before its names are settled', async () => {
    const { redis, ledger, moving, settling } = open()
    const plan = await ledger.store(planOf('d', [remodel('a')]), 1)
    await ledger.open('d', plan.id, lock)
    await settling.settleEnded()
    await moving.move(0)
    await ledger.retention.archive('d', plan.id).catch(() => {})
    expect((await ledger.planRecord('d', plan.id)).state).toBe('running')
    expect(await ledger.ended('d', plan.id)).toBe(null)
    await steps(ledger, 'd', plan.id, () => false)
    await moving.move(0)
    expect(await ledger.ended('d', plan.id)).toBe(null)
    await settling.settleEnded()
    await moving.move(0)
    expect(await ledger.ended('d', plan.id)).not.toBe(null)
    redis.disconnect()
  })

  test('is moved by the next planner where the first one died with the blob written', async () => {
    const { redis, ledger, settling, run, move, look } = open()
    const plan = await run('a', [[], ['a0']])
    await settling.settleEnded()
    const before = await look(plan.id, 'a1')
    const orphan = await new PlanHistory(blobs).write(linesOf(ledger, 'd', plan.id))
    expect(await blobs.has(orphan)).toBe(true)
    expect(await look(plan.id, 'a1')).toEqual(before)
    await move()
    expect(await look(plan.id, 'a1')).toEqual(before)
    expect(await ledger.retention.endedPlans(0, 10)).toEqual([])
    redis.disconnect()
  })

  test('leaves no gap in the events: they read on from the blobstore into Redis, whatever the page', async () => {
    const { redis, ledger, run, move } = open()
    await run('a', [[], ['a0']])
    await run('b', [[], []])
    await move()
    await run('c', [[]])
    const whole = await ledger.events('d', 0, { limit: 10_000 })
    const all: number[] = []
    for (let after = 0; ; ) {
      const page = await ledger.events('d', after, { limit: 3 })
      if (page.length === 0) break
      all.push(...page.map(({ seq }) => seq))
      after = page.at(-1)!.seq
    }
    const last = Number(await redis.hget(`h${counter}:{d}:meta`, 'seq'))
    expect(all).toEqual(Array.from({ length: last }, (_, i) => i + 1))
    expect(whole[0]?.seq).toBe(1)
    redis.disconnect()
  })

  test('is missing in no page of events, also where it is moved between two looks of a reader', async () => {
    const { redis, ledger, run, move } = open()
    const trimmed = async () => Number(await redis.hget(`h${counter}:{d}:meta`, 'trimmed'))
    await run('a', [[], ['a0']])
    await move()
    for (const more of [async () => {}, () => run('later', [[]])]) {
      const after = await trimmed()
      await run(`b${after}`, [[], []])
      // The reader has seen that nothing behind `after` was moved; now it reads the stream.
      const xread = async (...asked: Parameters<typeof redis.xread>) => {
        await move()
        await more()
        return redis.xread(...asked)
      }
      const page = await ledger.events('d', after, { on: { xread } as never })
      expect(await trimmed()).toBeGreaterThan(after)
      expect(page.length).toBeGreaterThan(3)
      expect(page.map(({ seq }) => seq)).toEqual(page.map((_, i) => after + 1 + i))
    }
    redis.disconnect()
  })

  test('reads as before also where it is moved in the middle of a look', async () => {
    const { redis, ledger, run, move } = open()
    const looks: ((plan: string) => Promise<unknown>)[] = [
      (plan) => ledger.plan('d', plan),
      async (plan) => (await ledger.remodelRecords('d', plan)).sort((a, b) => (a.id < b.id ? -1 : 1)),
      (plan) => ledger.waitsFor('d', plan, 'b1'),
      (plan) => ledger.remodel('d', plan, 'b1'),
    ]
    const { hget, hmget } = redis
    for (const look of looks) {
      const { id } = await run('b', [[], ['b0']])
      const before = await look(id)
      let moved = false
      const first = async (key: string) => {
        if (moved || !/:(lists|state|remodels)$/.test(key)) return
        moved = true
        await move()
      }
      redis.hget = (async (key: string, field: string) => {
        await first(key)
        return hget.call(redis, key, field)
      }) as never
      redis.hmget = (async (key: string, ...fields: string[]) => {
        await first(key)
        return hmget.call(redis, key, ...fields)
      }) as never
      const seen = await look(id)
      Object.assign(redis, { hget, hmget })
      expect(moved).toBe(true)
      expect(seen).toEqual(before)
    }
    redis.disconnect()
  })

  test('keeps its blob from the garbage collector for as long as it is remembered', async () => {
    const { redis, ledger, run, move } = open()
    const plan = await run('a', [[]])
    await move()
    const blob = await redis.hget(`h${counter}:{d}:plan:${plan.id}`, 'blob')
    const catalog = new Catalog(redis, ledger.settings)
    const compiled = new RedisCompiledIndex(redis, ledger.settings)
    expect((await mark({ ledger, catalog, compiled, blobs, kinds: { all: [] } })).named).toContain(blob)
    await ledger.retention.forget('d', 0, -1, Date.now() + 1)
    expect((await mark({ ledger, catalog, compiled, blobs, kinds: { all: [] } })).named).not.toContain(blob)
    redis.disconnect()
  })

  test('of 10,000 remodels takes less than a hundredth of the memory that it took', async () => {
    const { redis, ledger, settling, moving } = open()
    const remodels = Array.from({ length: 10_000 }, (_, i) => remodel(`step-${i}`))
    const plan = await ledger.store(planOf('d', remodels), 1)
    await ledger.open('d', plan.id, lock)
    await ledger.cancel('d', plan.id, person('test'))
    while ((await ledger.advance('d', plan.id)).isMore);
    const used = async () => {
      const sizes = await Promise.all(
        (await redis.keys(`h${counter}:{d}:*`)).map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)),
      )
      return sizes.reduce<number>((sum, size) => sum + Number(size), 0)
    }
    const before = await used()
    await settling.settleEnded()
    await moving.move(0)
    expect((await used()) * 100).toBeLessThan(before)
    expect((await ledger.plan('d', plan.id)).remodels.map(({ id }) => id)).toEqual(plan.remodels.map(({ id }) => id))
    redis.disconnect()
  })
})

describe('root causes', () => {
  test('are bounded: a hundred in full, the rest counted, each with the end of its log', async () => {
    const { redis, ledger } = open()
    const remodels = Array.from({ length: 150 }, (_, i) => remodel(`r${i}`, [], { when: 'independent' }))
    const plan = await ledger.store(planOf('d', remodels), 1)
    await ledger.open('d', plan.id, lock)
    await released(ledger, 'd', plan.id)
    const wanted = remodels.map(({ id }) => ({ plan: plan.id, remodel: id, job: id }))
    const claims = await ledger.claim('d', 'w', wanted)
    const log = `${'ä'.repeat(100_000)}the end`
    for (const result of claims) {
      if (result.status !== 'claimed') continue
      const { remodel: one, fence } = result.claim
      const report = { plan: plan.id, remodel: one.id, fence, outcome: 'failed' as const, code: 'job-failed' }
      await ledger.complete('d', [{ ...report, message: 'm'.repeat(100_000), log }])
    }
    const { errors, moreErrors, counts } = await ledger.planRecord('d', plan.id)
    expect([errors.length, moreErrors, counts.failed]).toEqual([100, 50, 150])
    for (const { message, log: kept } of errors) {
      expect(message.length).toBeLessThan(5000)
      expect(kept).toMatch(/^\.\.\.ä+the end$/)
      expect(Buffer.byteLength(kept!)).toBeLessThan(17_000)
    }
    redis.disconnect()
  })
})
