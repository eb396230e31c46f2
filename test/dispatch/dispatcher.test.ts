import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { AbandonedJobs } from '../../services/planner/dispatch/abandoned.ts'
import { Dispatcher } from '../../services/planner/dispatch/dispatcher.ts'
import { Publisher } from '../../services/planner/dispatch/publish.ts'
import { Workers } from '../../services/planner/dispatch/workers.ts'
import { CompileRequests } from '../../shared/compilation/requests.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { jobName } from '../../shared/queue/payloads.ts'
import { Queues, queuePrefix } from '../../shared/queue/queues.ts'
import { StrandedJobs } from '../../shared/queue/stranded.ts'
import { Division } from '../../shared/runtime/division.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let ledger: Ledger
let queues: Queues
const settings = () => ({ url: server.url, prefix: 'test' })
const ending: (() => Promise<void>)[] = []
let counter = 0
const fresh = () => `s${++counter}`

beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis(settings(), 'service')
  ledger = new Ledger(redis, settings())
  queues = new Queues(redis, settings())
})

afterEach(async () => {
  for (const end of ending.splice(0)) await end()
  await redis.flushall()
})

afterAll(async () => {
  await queues.close()
  redis.disconnect()
  await server.stop()
})

/** A planner's dispatching half; `deaf` hears no announcements, as after a connection that broke unseen. */
async function startPlanner(id: string, deaf = false): Promise<void> {
  const subscriber = connectRedis(settings(), 'service')
  const planners = new Division(redis, settings(), { role: 'planners', self: id })
  await planners.start()
  const publisher = new Publisher(ledger, queues, new CompileRequests(redis, settings()))
  const stranded = new StrandedJobs(redis, settings())
  const dispatcher = new Dispatcher({
    ledger,
    publisher,
    planners,
    subscriber,
    stranded,
    workers: new Workers(redis, settings()),
    abandoned: new AbandonedJobs(redis, settings(), new Workers(redis, settings())),
    log: pino({ level: 'silent' }),
  })
  await dispatcher.start()
  if (deaf) await subscriber.unsubscribe()
  ending.push(async () => {
    await dispatcher.stop()
    await planners.stop()
    subscriber.disconnect()
  })
}

async function open(name: string, ids: string[]): Promise<string> {
  const plan = await ledger.store(
    planOf(
      name,
      ids.map((id) => remodel(id)),
    ),
    Date.now(),
  )
  await ledger.open(name, plan.id, { by: person('test'), message: '' })
  return plan.id
}

const jobs = async () =>
  (await queues.get('assemble').getJobs(['waiting', 'prioritized', 'delayed']))
    .map(({ data }) => data.remodel as string)
    .sort()

describe('released work', () => {
  test('is published at once', async () => {
    await startPlanner('one')
    await open(fresh(), ['a', 'b'])
    await expect.poll(jobs, { timeout: 500, interval: 5 }).toEqual(['a', 'b'])
  })

  test('is published once, however many planners there are', async () => {
    await Promise.all([startPlanner('one'), startPlanner('two'), startPlanner('three')])
    await open(fresh(), ['a', 'b', 'c'])
    await expect.poll(jobs).toEqual(['a', 'b', 'c'])
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(await jobs()).toEqual(['a', 'b', 'c'])
  })

  test('whose job ended though the ledger knows nothing of it is published again under the same id', async () => {
    await startPlanner('one')
    await open(fresh(), ['a'])
    await expect.poll(jobs, { timeout: 5000 }).toEqual(['a'])
    const [before] = await queues.get('assemble').getJobs(['waiting', 'prioritized'])
    const worker = new Worker('assemble', null, { connection: { url: server.url }, prefix: queuePrefix(settings()) })
    const job = await worker.getNextJob('token')
    await job!.moveToCompleted('nothing', 'token', false)
    await worker.close()
    expect(await jobs()).toEqual([])
    await expect.poll(jobs, { timeout: 10_000 }).toEqual(['a'])
    const [after] = await queues.get('assemble').getJobs(['waiting', 'prioritized'])
    expect(after!.id).toBe(before!.id)
  })

  test('whose announcement was lost is published by the sweep', async () => {
    await startPlanner('one', true)
    await open(fresh(), ['a'])
    await expect.poll(jobs, { timeout: 5000 }).toEqual(['a'])
  })

  test('that a planner left behind is published by the next one as soon as it starts', async () => {
    await open(fresh(), ['a', 'b'])
    expect(await jobs()).toEqual([])
    await startPlanner('next')
    expect(await jobs()).toEqual(['a', 'b'])
  })

  test('is published again where the queue was emptied', async () => {
    await startPlanner('one')
    await open(fresh(), ['a'])
    await expect.poll(jobs).toEqual(['a'])
    await queues.get('assemble').obliterate({ force: true })
    await expect.poll(jobs, { timeout: 5000 }).toEqual(['a'])
  })

  test('of a thousand stays in the ledger but for what can be begun soon, and follows as that is claimed', async () => {
    await startPlanner('one')
    const name = fresh()
    const plan = await open(
      name,
      Array.from({ length: 1000 }, (_, i) => `m${String(i).padStart(3, '0')}`),
    )
    await expect.poll(async () => (await jobs()).length, { timeout: 5000 }).toBe(64)
    expect(await jobs()).toEqual(Array.from({ length: 64 }, (_, i) => `m${String(i).padStart(3, '0')}`))
    const claims = (await jobs()).slice(0, 40).map((id) => ({ plan, remodel: id, job: jobName(id, 1) }))
    await ledger.claim(name, 'w', claims)
    await expect.poll(async () => (await jobs()).length, { timeout: 5000 }).toBe(104)
  })

  test('is not written again while its jobs wait: a sweep only reads', async () => {
    await startPlanner('one')
    await open(fresh(), ['a', 'b', 'c'])
    await expect.poll(jobs).toEqual(['a', 'b', 'c'])
    // Longer than after which a job is looked for.
    await sleep(2000)
    const before = await written()
    await sleep(2000)
    expect(await written()).toEqual(before)
  })
})

describe('deployments', () => {
  test('take turns: one with a single remodel comes after the first of one with a thousand', async () => {
    await startPlanner('one')
    await open(
      fresh(),
      Array.from({ length: 1000 }, (_, i) => `m${i}`),
    )
    await expect.poll(async () => (await jobs()).length, { timeout: 5000 }).toBe(64)
    await open(fresh(), ['small'])
    await expect.poll(jobs, { timeout: 5000 }).toContain('small')
    const first = await queues.get('assemble').getPrioritized(0, 9)
    expect(first.map(({ data }) => data.remodel).indexOf('small')).toBeOneOf([0, 1, 2])
  })
})

/** How often data was written that a publication writes. */
async function written(): Promise<Record<string, number>> {
  const text = await redis.info('commandstats')
  return Object.fromEntries(
    ['hset', 'hmset', 'xadd', 'incr', 'rpush', 'lpush'].map((name) => [
      name,
      Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(text)?.[1] ?? 0),
    ]),
  )
}
