import type { Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { JobLocks } from '../../shared/queue/locks.ts'
import { Queues } from '../../shared/queue/queues.ts'
import { startWorker } from '../../shared/queue/worker.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let queues: Queues
let worker: Worker
const settings = () => ({ url: server.url, prefix: 'test' })
const log = pino({ level: 'silent' })
let current = true
let running: { id: string; signal: AbortSignal; token: string; end(): void } | undefined

beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis(settings(), 'service')
  queues = new Queues(redis, settings())
  worker = startWorker(
    'compile',
    { redis: connectRedis(settings(), 'service'), settings: settings(), name: 'w', concurrency: 1, log },
    (_payload, signal, { id = '' }, token) =>
      new Promise<void>((end) => {
        running = { id, signal, token, end }
      }),
  )
})

beforeEach(async () => {
  running?.end()
  running = undefined
  current = true
  await queues.get('compile').add('x', { key: 'k' }, { jobId: `j${Math.random()}` })
  await expect.poll(() => running, { timeout: 10_000 }).toBeDefined()
})

afterAll(async () => {
  running?.end()
  await worker.close()
  await queues.close()
  redis.disconnect()
  await server.stop()
})

/** The locks of the job that runs, with an answer of the test's own to whose the work is. */
async function held(work: (locks: JobLocks, key: string) => Promise<void>): Promise<void> {
  const { id } = running!
  const key = `${worker.toKey(id)}:lock`
  const locks = new JobLocks(worker, redis, log)
  const job = { token: running!.token, ours: async () => current }
  await locks.during(id, job, () => work(locks, key))
}

test('a lock that was lost is taken again where the work is still ours, and nothing is stopped', () =>
  held(async (locks, key) => {
    await redis.del(key)
    await locks.renew()
    expect(await redis.get(key)).toBe(running!.token)
    expect(running!.signal.aborted).toBe(false)
  }))

test('a lock that another worker has by now is left to it', () =>
  held(async (locks, key) => {
    await redis.set(key, 'other')
    await locks.renew()
    expect(await redis.get(key)).toBe('other')
    expect(running!.signal.aborted).toBe(false)
  }))

test('work that is in other hands is stopped', () =>
  held(async (locks, key) => {
    await redis.del(key)
    current = false
    await locks.renew()
    expect(running!.signal.aborted).toBe(true)
  }))

test('locks are renewed though the clock of the host was set back by an hour', () =>
  held(async (_locks, key) => {
    const now = Date.now
    Date.now = () => now() - 3600_000
    try {
      await redis.pexpire(key, 8000)
      await expect.poll(() => redis.pttl(key), { timeout: 12_000, interval: 200 }).toBeGreaterThan(20_000)
    } finally {
      Date.now = now
    }
  }))
