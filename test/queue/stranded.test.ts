import { Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Queues, queuePrefix } from '../../shared/queue/queues.ts'
import { StrandedJobs } from '../../shared/queue/stranded.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let queues: Queues
let stranded: StrandedJobs
let worker: Worker
const settings = () => ({ url: server.url, prefix: 'test' })
const data = { deployment: 'd', plan: 'p', remodel: 'a', release: 1 }

beforeAll(async () => {
  server = await startRedis(['--appendfsync', 'no'])
  redis = connectRedis(settings(), 'service')
  queues = new Queues(redis, settings())
  stranded = new StrandedJobs(redis, settings())
  worker = new Worker('assemble', null, {
    connection: redis,
    prefix: queuePrefix(settings()),
    maxStalledCount: 1_000_000,
    stalledInterval: 1,
  })
})

afterEach(async () => {
  await redis.flushall()
})

afterAll(async () => {
  await worker.close()
  await queues.close()
  redis.disconnect()
  await server.stop()
})

const key = (part: string) => `{test}:assemble:${part}`
const publish = (options: object = {}) =>
  queues.get('assemble').addBulk([{ name: 'a', data, opts: { jobId: 'a.1', attempts: 1_000_000, ...options } }])
const again = async (clear = true, options: object = {}) => {
  if (clear) await stranded.clear('assemble', ['a.1'], true)
  await publish(options)
}

/** Every place that BullMQ's scripts give a job, made by BullMQ itself. */
const places: Record<string, { options: object; make(): Promise<unknown> }> = {
  waiting: { options: {}, make: () => publish() },
  prioritized: { options: { priority: 7 }, make: () => publish({ priority: 7 }) },
  delayed: { options: {}, make: () => publish({ delay: 60_000 }) },
  'delayed with a priority': { options: { priority: 7 }, make: () => publish({ delay: 60_000, priority: 7 }) },
  active: {
    options: {},
    make: async () => {
      await publish()
      await worker.getNextJob('gone', { block: false })
    },
  },
  'active and seen by the check for stalled jobs': {
    options: { priority: 7 },
    make: async () => {
      await publish({ priority: 7 })
      await worker.getNextJob('gone', { block: false })
      await worker.backend.moveStalledJobsToWait()
    },
  },
  completed: {
    options: {},
    make: async () => {
      await publish()
      await (await worker.getNextJob('token', { block: false }))!.moveToCompleted('nothing', 'token', false)
    },
  },
  failed: {
    options: {},
    make: async () => {
      await publish({ attempts: 1 })
      await (await worker.getNextJob('token', { block: false }))!.moveToFailed(new Error('x'), 'token', false)
    },
  },
}

/**
 * What the workers do in time: a lock that is not renewed runs out, stalled jobs are looked for, the next job is taken.
 */
async function handedOut(): Promise<unknown> {
  await redis.del(key('a.1:lock'))
  for (let n = 0; n < 4; n++) {
    const job = await worker.getNextJob(`token${n}`, { block: false })
    if (job?.data?.plan) return job.data
    // A job without data fails by its worker, as `startWorker` makes it.
    if (job) await job.moveToFailed(new Error('does not fit'), `token${n}`, false).catch(() => {})
    await redis.del(key('stalled-check'))
    await worker.backend.moveStalledJobsToWait()
  }
  return null
}

describe('a publication takes effect, whichever keys of its queue were deleted', () => {
  for (const [name, { options, make }] of Object.entries(places)) {
    test(`where the job is ${name}`, async () => {
      await make()
      const before = await redis.keys('*')
      const dumps = await Promise.all(before.map((one) => redis.dumpBuffer(one)))
      const lost: string[][] = []
      let withoutClearing = 0
      for (let subset = 0; subset < 2 ** before.length; subset++) {
        for (const clear of [true, false]) {
          await redis.flushall()
          const kept = before.flatMap((one, i) => (subset & (1 << i) ? [] : [{ one, dump: dumps[i]! }]))
          await Promise.all(kept.map(({ one, dump }) => redis.restore(one, 0, dump)))
          await again(clear, options)
          if (await handedOut()) continue
          if (clear) lost.push(before.filter((_, i) => subset & (1 << i)))
          else withoutClearing += 1
        }
      }
      expect(lost).toEqual([])
      // Control run: without the look, there are states that swallow it.
      expect(withoutClearing).toBeGreaterThan(0)
    })
  }
})
