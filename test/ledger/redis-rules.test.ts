import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EpochWatch, seenFile } from '../../shared/ledger/epoch.ts'
import { epochOf } from '../../shared/ledger/fences.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { Recorder } from '../../shared/ledger/recorder.ts'
import { jobName } from '../../shared/queue/payloads.ts'
import { checkRedis } from '../../shared/runtime/redis/rules.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

/** What Remodel asks of its Redis, and what it does when Redis does not give it. */

let server: TestRedis
let redis: Redis
let ledger: Ledger
let home: string
const settings = () => ({ url: server.url, prefix: 'test' })
const lock = { by: person('test'), message: '' }
let counter = 0
const fresh = () => `r${++counter}`

beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis(settings(), 'service')
  ledger = new Ledger(redis, settings())
  home = await mkdtemp(join(tmpdir(), 'remodel-rules-'))
})

afterAll(async () => {
  redis.disconnect()
  await server.stop()
  await rm(home, { recursive: true, force: true })
})

async function runOne(name: string, id = 'a'): Promise<number> {
  const plan = await ledger.store(
    planOf(name, [remodel(id)], { version: (await ledger.floorplan(name)).version }),
    Date.now(),
  )
  await ledger.open(name, plan.id, lock)
  const [result] = await ledger.claim(name, 'w', [{ plan: plan.id, remodel: id, job: jobName(id, 1) }])
  if (result?.status !== 'claimed') throw new Error('not claimed')
  await ledger.complete(name, [{ plan: plan.id, remodel: id, fence: result.claim.fence, outcome: 'done' }])
  return result.claim.fence
}

describe('the settings of Redis', () => {
  test('that would lose or evict what is recorded are refused by name, or accepted knowingly', async () => {
    expect(await checkRedis(redis, { allowWeak: false })).toEqual([])
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
    await redis.config('SET', 'appendfsync', 'everysec')
    await expect(checkRedis(redis, { allowWeak: false })).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/maxmemory-policy is allkeys-lru, should be noeviction; appendfsync is everysec/),
    })
    expect(await checkRedis(redis, { allowWeak: true })).toEqual([
      expect.stringMatching(/maxmemory-policy is allkeys-lru.*appendfsync is everysec/),
    ])
    await redis.config('SET', 'maxmemory-policy', 'noeviction')
    await redis.config('SET', 'appendfsync', 'always')
  })
})

describe('a Redis that came back older than it was', () => {
  const file = () => join(home, 'beat')
  const watch = (of: Ledger = ledger) =>
    new EpochWatch({
      redis,
      fences: [of.fences],
      settings: settings(),
      memory: seenFile(file()),
      log: pino({ level: 'silent' }),
    })
  const beat = (seen: number, epoch: number) =>
    redis.eval(
      readFileSync(new URL('../../shared/ledger/lua/epoch.lua', import.meta.url), 'utf8'),
      1,
      'e2',
      seen,
      epoch,
    )

  test('gets reports again that it has forgotten', async () => {
    const name = fresh()
    const recorder = new Recorder(ledger, 'w')
    recorder.repeatAfterReconnect(redis)
    const plan = await ledger.store(planOf(name, [remodel('a')]), Date.now())
    await ledger.open(name, plan.id, lock)
    const claimed = await recorder.claim(name, { plan: plan.id, remodel: 'a', job: jobName('a', 1) })
    if (claimed.status !== 'claimed') throw new Error('not claimed')
    const comeBack = await server.remember()
    const report = { plan: plan.id, remodel: 'a', fence: claimed.claim.fence, outcome: 'done' as const }
    expect(await recorder.complete(name, report)).toMatchObject({ status: 'recorded' })
    await comeBack()
    await expect.poll(async () => (await ledger.planRecord(name, plan.id)).state, { timeout: 5000 }).toBe('done')
    const events = await ledger.events(name, 0)
    expect(events.filter(({ type }) => type === 'remodel.done')).toHaveLength(1)
  })

  test('is noticed by a planner that saw it before, and fences go on above all that were handed out', async () => {
    const name = fresh()
    const before = await runOne(name)
    const first = watch()
    await first.start()
    first.stop()
    const seen = Number(await redis.hget('test:epoch', 'beat'))
    // What a truncated file does, though Redis is the same process: the beat and the fences are as
    // they were a while ago.
    await redis.hset('test:epoch', 'beat', seen - 1)
    await redis.hset(`${ledger.base(name)}:meta`, 'fence', 1)
    const second = watch()
    await second.start()
    second.stop()
    const epoch = Number(await redis.hget('test:epoch', 'epoch'))
    expect(epoch).toBeGreaterThan(epochOf(before))
    expect(await runOne(name)).toBeGreaterThan(before)
    const third = watch()
    await third.start()
    third.stop()
    expect(Number(await redis.hget('test:epoch', 'epoch'))).toBe(epoch)
  })

  test('draws fences above those that a process or the file of a planner saw, though its clock is behind them', async () => {
    const name = fresh()
    const epoch = epochOf(await runOne(name)) + 1000
    const memory = { read: async () => `1 ${epoch}`, write: async () => {} }
    const planner = new EpochWatch({
      redis,
      fences: [ledger.fences],
      settings: settings(),
      memory,
      log: pino({ level: 'silent' }),
    })
    await planner.start()
    planner.stop()
    expect(epochOf(await runOne(fresh()))).toBeGreaterThan(epoch)
    await server.restart()
    expect(epochOf(await runOne(name))).toBeGreaterThan(epoch)
  })

  test('begins another epoch at every loss, also where Redis has forgotten the one before', async () => {
    const [, one] = (await beat(100, 0)) as [number, number, number]
    await redis.del('e2')
    const [, two, lost] = (await beat(200, one)) as [number, number, number]
    expect([two > one, lost]).toEqual([true, 1])
  })

  test('draws no fence twice, however little it lost: a claim that it forgot and one after it differ', async () => {
    const name = fresh()
    const plan = await ledger.store(planOf(name, [remodel('a')]), Date.now())
    await ledger.open(name, plan.id, lock)
    const work = [{ plan: plan.id, remodel: 'a', job: jobName('a', 1) }]
    const comeBack = await server.remember()
    const fences: number[] = []
    for (let loss = 0; loss < 4; loss++) {
      // Each time by a worker that has seen nothing, and at once: before any planner has looked.
      const other = connectRedis(settings(), 'service')
      const [result] = await new Ledger(other, settings()).claim(name, `w${loss}`, work)
      if (result?.status !== 'claimed') throw new Error('not claimed')
      fences.push(result.claim.fence)
      other.disconnect()
      await comeBack()
    }
    expect(new Set(fences).size).toBe(4)
  })

  test('draws larger fences after every loss where one process has seen those before', async () => {
    const name = fresh()
    const plan = await ledger.store(planOf(name, [remodel('a')]), Date.now())
    await ledger.open(name, plan.id, lock)
    const work = [{ plan: plan.id, remodel: 'a', job: jobName('a', 1) }]
    const comeBack = await server.remember()
    const fences: number[] = []
    for (let loss = 0; loss < 4; loss++) {
      const [result] = await ledger.claim(name, 'w', work)
      if (result?.status !== 'claimed') throw new Error('not claimed')
      fences.push(result.claim.fence)
      await comeBack()
    }
    const epochs = fences.map(epochOf)
    expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b))
  })

  test('draws larger fences in each life that begins from what a planner had raised', async () => {
    const own = { ...settings(), prefix: 'raised' }
    const claimOne = async (redis: Redis, name: string) => {
      const ledger = new Ledger(redis, own)
      const [result] = await ledger.claim(name, 'w', [
        { plan: (await ledger.planIds(name, 1))[0]!, remodel: 'a', job: jobName('a', 1) },
      ])
      if (result?.status !== 'claimed') throw new Error('not claimed')
      return result.claim.fence
    }
    const opened = async (planner: Ledger, name: string) =>
      planner.open(name, (await planner.store(planOf(name, [remodel('a')]), Date.now())).id, lock)
    await opened(new Ledger(redis, own), 'before')
    const planner = new Ledger(redis, own)
    planner.fences.rise(epochOf(await claimOne(redis, 'before')) + 1)
    await opened(planner, 'after')
    const comeBack = await server.remember()
    const counters: number[] = []
    for (let loss = 0; loss < 3; loss++) {
      const other = connectRedis(own, 'service')
      // Without its random part, which would hide that two lives counted alike.
      counters.push(Math.floor((await claimOne(other, 'after')) / 512))
      other.disconnect()
      await comeBack()
    }
    expect(counters).toEqual([...new Set(counters)].sort((a, b) => a - b))
  })

  test('that does not tell its run_id draws no fence twice either', async () => {
    const name = fresh()
    const plan = await ledger.store(planOf(name, [remodel('a', [], { attempts: 50 })]), Date.now())
    await ledger.open(name, plan.id, lock)
    const work = [{ plan: plan.id, remodel: 'a', job: jobName('a', 1) }]
    const comeBack = await server.remember()
    const managed = { ...settings(), url: server.url.replace('//', '//managed:secret@') }
    const allow = () => redis.acl('SETUSER', 'managed', 'on', '>secret', '~*', '&*', '+@all', '-info')
    await allow()
    const client = connectRedis(managed, 'service')
    const worker = new Ledger(client, managed)
    const epochs: number[] = []
    for (let loss = 0; loss < 3; loss++) {
      const fences: number[] = []
      while (fences.length < 2) {
        // One that was under way when the connection broke is thrown away, and asked for again.
        const [result] = await worker.claim(name, 'w', work).catch(() => [])
        if (result?.status === 'claimed') fences.push(result.claim.fence)
      }
      expect(epochOf(fences[1]!)).toBe(epochOf(fences[0]!))
      epochs.push(epochOf(fences[0]!))
      await comeBack()
      await allow()
    }
    expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b))
    client.disconnect()
  })
})

describe('a transition', () => {
  test('that Redis refuses for want of memory changes nothing, and goes through when there is room', async () => {
    const name = fresh()
    const plan = await ledger.store(planOf(name, [remodel('a')]), 1)
    await redis.config('SET', 'maxmemory', '1')
    await expect(ledger.open(name, plan.id, lock)).rejects.toThrow(/OOM/)
    await redis.config('SET', 'maxmemory', '0')
    expect((await ledger.planRecord(name, plan.id)).state).toBe('stored')
    expect(await ledger.lock(name)).toBeNull()
    expect(await ledger.open(name, plan.id, lock)).toEqual({ status: 'ok' })
    await redis.config('SET', 'maxmemory', '1')
    const job = { plan: plan.id, remodel: 'a', job: jobName('a', 1) }
    await expect(ledger.claim(name, 'w', [job])).rejects.toThrow(/OOM/)
    await redis.config('SET', 'maxmemory', '0')
    expect(await ledger.remodelRecords(name, plan.id)).toMatchObject([{ state: 'released', attempt: 0 }])
    expect(await ledger.claim(name, 'w', [job])).toMatchObject([{ status: 'claimed' }])
  })

  test('on a read-only replica changes nothing', async () => {
    const name = fresh()
    const plan = await ledger.store(planOf(name, [remodel('a')]), 1)
    await redis.replicaof('127.0.0.1', '1')
    await expect(ledger.open(name, plan.id, lock)).rejects.toThrow(/READONLY/)
    await redis.replicaof('NO', 'ONE')
    expect((await ledger.planRecord(name, plan.id)).state).toBe('stored')
  })

  test('survives that Redis forgets its scripts', async () => {
    await redis.script('FLUSH')
    expect(await runOne(fresh())).toBeGreaterThan(0)
  })

  test('recorded before Redis was killed is there when it comes back', async () => {
    const name = fresh()
    await runOne(name)
    await server.restart()
    expect((await ledger.events(name, 0)).map((event) => event.type)).toEqual([
      'plan.started',
      'remodel.started',
      'remodel.done',
      'plan.done',
    ])
  })
})

describe('retention', () => {
  test('keeps the newest plans and their events without a gap, and nothing else of the old ones', async () => {
    const name = fresh()
    for (let i = 0; i < 6; i++) await runOne(name, `a${i}`)
    const waiting = await ledger.store(planOf(name, [remodel('later')]), Date.now())
    expect(await ledger.retention.forget(name, 2, 60_000, Date.now())).toBe(4)
    expect(await ledger.planIds(name, 100)).toHaveLength(3)
    const events = await ledger.events(name, 0)
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => events[0]!.seq + i))
    expect(new Set(events.map(({ plan }) => plan)).size).toBe(2)
    expect(await ledger.retention.forget(name, 2, 60_000, Date.now() + 120_000)).toBe(1)
    await expect(ledger.planRecord(name, waiting.id)).rejects.toMatchObject({ code: 'not-found' })
    const keys = (await redis.keys(`${ledger.base(name)}:plan:*`)).map((key) => key.split(':')[3])
    expect(new Set(keys).size).toBe(2)
  })
})
