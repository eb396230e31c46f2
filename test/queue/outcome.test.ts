import type { Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { JobFailure } from '../../shared/queue/failure.ts'
import { Queues } from '../../shared/queue/queues.ts'
import { startWorker } from '../../shared/queue/worker.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let queues: Queues
let worker: Worker
const settings = () => ({ url: server.url, prefix: 'test' })
/** What the worker does with the job of each key, time by time. */
const acts: Record<string, (() => unknown)[]> = {}
const begun: string[] = []

beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis(settings(), 'service')
  queues = new Queues(redis, settings())
  worker = startWorker(
    'compile',
    {
      ...{ redis: connectRedis(settings(), 'service'), settings: settings() },
      ...{ name: 'w', concurrency: 1, log: pino({ level: 'silent' }) },
    },
    async ({ key }) => {
      begun.push(key)
      return acts[key]!.shift()!()
    },
  )
})

afterAll(async () => {
  await worker.close()
  await queues.close()
  redis.disconnect()
  await server.stop()
})

async function ended(key: string, ...what: (() => unknown)[]) {
  acts[key] = what
  const queue = queues.get('compile')
  await queue.add(key, { key }, { jobId: `j${key}`, attempts: 100, backoff: { type: 'fixed', delay: 10 } })
  await expect.poll(() => queue.getJobState(`j${key}`), { timeout: 20_000 }).toBeOneOf(['completed', 'failed'])
  const { logs } = await queue.getJobLogs(`j${key}`)
  return { job: (await queue.getJob(`j${key}`))!, state: await queue.getJobState(`j${key}`), logs }
}

const refuses = () => {
  throw new RemodelError('superseded', 'not yet')
}

test('a job whose failure is recorded stands under failed with its reason and its log, and is begun once', async () => {
  const { job, state, logs } = await ended('fails', () => new JobFailure('job-failed: it broke', 'line one\nline two'))
  expect([state, job.failedReason, logs]).toEqual(['failed', 'job-failed: it broke', ['line one\nline two']])
  expect(job.stacktrace).toEqual([])
  expect(begun.filter((key) => key === 'fails')).toHaveLength(1)
})

test('a job that was put back and then succeeds keeps no reason of the time before', async () => {
  const { job, state } = await ended('again', refuses, refuses, () => 'done')
  expect([state, job.returnvalue, job.failedReason, job.stacktrace, job.progress]).toEqual([
    'completed',
    'done',
    undefined,
    [],
    100,
  ])
})

test('a job that was put back and then fails shows the last reason alone', async () => {
  const { job, state } = await ended('worse', refuses, () => new JobFailure('deadline: too late'))
  expect([state, job.failedReason, job.stacktrace]).toEqual(['failed', 'deadline: too late', []])
})

test('a fault of the sources keeps its stack', async () => {
  acts.bug = []
  const { job, state } = await ended('bug', ...Array.from({ length: 100 }, () => () => Object(undefined).x.y))
  expect(state).toBe('failed')
  expect(job.stacktrace?.at(-1)).toContain('outcome.test.ts')
})
