import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { AbandonedJobs } from '../../services/planner/dispatch/abandoned.ts'
import { Workers } from '../../services/planner/dispatch/workers.ts'
import { startWorker } from '../../shared/queue/worker.ts'
import { Heartbeat } from '../../shared/runtime/heartbeat.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let workers: Workers
const settings = () => ({ url: server.url, prefix: 'test' })
const ending: (() => void)[] = []

beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis(settings(), 'service')
})
afterEach(async () => {
  for (const end of ending.splice(0)) end()
  await redis.flushall()
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

async function start(name: string) {
  const [beats, subscriber] = [connectRedis(settings(), 'service'), connectRedis(settings(), 'service')]
  const heartbeat = new Heartbeat(beats, settings(), name)
  await heartbeat.start(subscriber)
  ending.push(() => {
    void heartbeat.stop().catch(() => {})
    for (const one of [beats, subscriber]) one.disconnect()
  })
  workers = new Workers(redis, settings())
  return {
    /** Its sockets close, as those of a process that was killed. */
    die: () => {
      for (const one of [beats, subscriber]) one.disconnect()
    },
  }
}

/** Looks every 200 ms for that long; answers after how many milliseconds the worker was gone, or null. */
async function gone(name: string, forMs: number): Promise<number | null> {
  const began = performance.now()
  while (performance.now() - began < forMs) {
    if ((await workers.gone([name])).length > 0) return performance.now() - began
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  return null
}

describe('a worker', () => {
  test('that was killed is gone within three seconds, because its sockets closed', async () => {
    const worker = await start('killed')
    await gone('killed', 500)
    worker.die()
    const after = await gone('killed', 6000)
    expect(after).toBeLessThan(3500)
    expect(after).not.toBe(null)
  })

  test('that lives is not gone while Redis stalls for five seconds', async () => {
    await start('alive')
    await gone('alive', 500)
    process.kill(server.pid(), 'SIGSTOP')
    setTimeout(() => process.kill(server.pid(), 'SIGCONT'), 5000)
    expect(await gone('alive', 8000)).toBe(null)
  })

  test('that lives is not gone because no planner asked for a while', async () => {
    await start('unasked')
    await gone('unasked', 500)
    await new Promise((resolve) => setTimeout(resolve, 4000))
    expect(await gone('unasked', 1500)).toBe(null)
  })
})

test('a worker that was killed before the clock of Redis was set back is not counted for hours', async () => {
  const heartbeat = new Heartbeat(redis, settings(), 'asking')
  await redis.set('test:alive:dead', '7 1', 'PX', 3_600_000)
  await redis.sadd('test:workers:compile', 'dead')
  expect(await heartbeat.seats('compile')).toBe(1)
  await expect.poll(() => heartbeat.seats('compile'), { timeout: 30_000, interval: 500 }).toBe(0)
  expect(await heartbeat.alive('dead')).toBe(false)
}, 40_000)

test('jobs of a worker that is gone are given to another one, though the last check for them was made before the clock of Redis was set back', async () => {
  const key = 'a'.repeat(64)
  await redis.set('{test}:compile:stalled-check', '1', 'PX', 36_000_000)
  await redis.rpush('{test}:compile:active', 'left')
  await redis.hset('{test}:compile:left', {
    ...{ name: 'compile', data: JSON.stringify({ key, deployment: 'd', plan: 'p' }), opts: '{}', timestamp: '1' },
  })
  const done: string[] = []
  const log = pino({ level: 'silent' })
  const parts = { redis: connectRedis(settings(), 'service'), settings: settings(), name: 'other', concurrency: 1, log }
  const worker = startWorker('compile', parts, async (payload) => done.push(payload.key))
  ending.push(() => {
    void worker.close(true).catch(() => {})
    parts.redis.disconnect()
  })
  const abandoned = new AbandonedJobs(redis, settings(), new Workers(redis, settings()))
  const look = async () => {
    await abandoned.free()
    return done
  }
  await expect.poll(look, { timeout: 30_000, interval: 200 }).toEqual([key])
}, 40_000)

test('locks of jobs are taken from workers that are gone, and left to those that live', async () => {
  const dead = await start('dead')
  await start('living')
  for (const worker of ['dead', 'living']) {
    await redis.rpush('{test}:compile:active', worker)
    await redis.hset(`{test}:compile:${worker}`, 'pb', worker)
    await redis.set(`{test}:compile:${worker}:lock`, 'token')
  }
  dead.die()
  const abandoned = new AbandonedJobs(redis, settings(), workers)
  for (let n = 0; n < 20; n++) {
    await abandoned.free()
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  expect(await redis.keys('{test}:compile:*:lock')).toEqual(['{test}:compile:living:lock'])
})
