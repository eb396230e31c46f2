import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AbandonedJobs } from '../../services/planner/dispatch/abandoned.ts'
import { Dispatcher } from '../../services/planner/dispatch/dispatcher.ts'
import { Publisher } from '../../services/planner/dispatch/publish.ts'
import { Workers } from '../../services/planner/dispatch/workers.ts'
import { CompileRequests } from '../../shared/compilation/requests.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { jobName } from '../../shared/queue/payloads.ts'
import { Queues } from '../../shared/queue/queues.ts'
import { StrandedJobs } from '../../shared/queue/stranded.ts'
import { startWorker } from '../../shared/queue/worker.ts'
import { Division } from '../../shared/runtime/division.ts'
import { Heartbeat } from '../../shared/runtime/heartbeat.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { Random } from '../sim/random.ts'
import { person } from '../support/actors.ts'
import { planOf, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
const log = pino({ level: 'silent' })

beforeAll(async () => {
  server = await startRedis(['--appendfsync', 'no'])
})
afterAll(() => server.stop())

/** A planner and a worker over queues of their own, and a plan of quick remodels in chains. */
async function start(prefix: string, clears: boolean) {
  const settings = { url: server.url, prefix }
  const redis = connectRedis(settings, 'service')
  const [subscriber, blocking] = [connectRedis(settings, 'service'), connectRedis(settings, 'service')]
  const ledger = new Ledger(redis, settings)
  const queues = new Queues(redis, settings)
  const planners = new Division(redis, settings, { role: 'planners', self: 'planner' })
  await planners.start()
  const stranded = clears ? new StrandedJobs(redis, settings) : { clear: async () => [] }
  const workers = new Workers(redis, settings)
  const dispatcher = new Dispatcher({
    ledger,
    publisher: new Publisher(ledger, queues, new CompileRequests(redis, settings)),
    planners,
    subscriber,
    stranded,
    workers,
    abandoned: new AbandonedJobs(redis, settings, workers),
    log,
  })
  await dispatcher.start()
  const heartbeat = new Heartbeat(redis, settings, 'worker')
  await heartbeat.start(subscriber)
  const worker = startWorker(
    'assemble',
    { redis: blocking, settings, name: 'worker', concurrency: 3, log },
    async ({ deployment, plan, remodel: id, release }) => {
      const name = jobName(id, release)
      const [claimed] = await ledger.claim(deployment, 'worker', [{ plan, remodel: id, job: name }])
      if (claimed?.status !== 'claimed') return
      await sleep(60)
      await ledger.complete(deployment, [{ plan, remodel: id, fence: claimed.claim.fence, outcome: 'done', job: name }])
    },
  )
  const plan = await ledger.store(
    planOf(
      prefix,
      Array.from({ length: 60 }, (_, i) =>
        remodel(`m${i}`, i < 30 ? [] : [`m${i - 30}`], i % 2 === 0 ? {} : { weight: 5 }),
      ),
    ),
    Date.now(),
  )
  await ledger.open(prefix, plan.id, { by: person('test'), message: '' })
  return {
    redis,
    done: async () => (await redis.hget(`${ledger.base(prefix)}:plan:${plan.id}`, 'state')) === 'done',
    async stop() {
      await Promise.all([dispatcher.stop(), worker.close(true)])
      await Promise.all([planners.stop(), heartbeat.stop()])
      await queues.close()
      for (const one of [redis, subscriber, blocking]) one.disconnect()
    },
  }
}

/** Deletes keys of the queue one by one, whichever are there, while jobs are added and carried out. */
async function vandalise(redis: Redis, prefix: string, random: Random): Promise<void> {
  for (let n = random.int(8, 24); n > 0; n--) {
    const keys = random.shuffle((await redis.keys(`{${prefix}}:assemble:*`)).sort())
    const part = random.pick([/:(wait|prioritized|delayed|active|marker)$/, /:(wait|prioritized)$/, /\d$/, /./])
    for (const key of keys.filter((one) => part.test(one)).slice(0, random.int(1, 6))) {
      await redis.del(key)
      await sleep(random.int(0, 5))
    }
    await sleep(random.int(0, 25))
  }
}

async function ends(seed: number, clears: boolean): Promise<boolean> {
  const prefix = `${clears ? 'with' : 'without'}${seed}`
  const stack = await start(prefix, clears)
  try {
    await vandalise(stack.redis, prefix, new Random(seed))
    for (let n = 0; n < 120; n++) {
      if (await stack.done()) return true
      await sleep(100)
    }
    return false
  } finally {
    await stack.stop()
  }
}

describe('a queue whose keys are deleted one by one while work is under way', () => {
  const seeds = Array.from({ length: 6 }, () => Math.floor(Math.random() * 1e6))

  test(`does not keep a plan from its end (seeds ${seeds.join(', ')})`, async () => {
    const ended = await Promise.all(seeds.map((seed) => ends(seed, true)))
    expect(ended).not.toContain(false)
  })

  test('does so where nothing takes away what is left of jobs: the control run', async () => {
    const ended = await Promise.all(seeds.map((seed) => ends(seed, false)))
    expect(ended).toContain(false)
  })
})
