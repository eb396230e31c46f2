import { type Job, UnrecoverableError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { RedisSettings } from '../redis.ts'
import { catalog, type Payload, type QueueName } from './catalog.ts'
import { queuePrefix } from './queues.ts'

export interface WorkerSettings {
  redis: Redis
  settings: RedisSettings
  /** Shown in Bull Board and in events. */
  name: string
  concurrency: number
  log: Logger
}

/**
 * A BullMQ worker as Remodel uses it: short locks, so that a killed worker's job is taken over within about five seconds,
 * and an abort signal that fires as soon as the lock could not be renewed. How often a job may be begun is the ledger's
 * business, so BullMQ's own limits on stalled jobs are lifted.
 */
export function startWorker<Name extends QueueName>(
  queue: Name | `${Name}-${string}`,
  options: WorkerSettings,
  process: (payload: Payload<Name>, signal: AbortSignal, job: Job, token: string) => Promise<unknown>,
): Worker {
  const schema = catalog[queue.split('-')[0] as Name]
  const worker = new Worker(
    queue,
    async (job, token, signal) => {
      const payload = schema.safeParse(job.data)
      if (!payload.success)
        throw new UnrecoverableError(`this job does not fit queue ${queue}: ${payload.error.message}`)
      return process(payload.data as Payload<Name>, signal ?? new AbortController().signal, job, token ?? '')
    },
    {
      connection: options.redis,
      prefix: queuePrefix(options.settings),
      name: options.name,
      concurrency: options.concurrency,
      lockDuration: 3000,
      stalledInterval: 1000,
      maxStalledCount: 1_000_000,
      drainDelay: 5,
      removeOnComplete: { count: 1000, age: 3600 },
      removeOnFail: { count: 1000, age: 24 * 3600 },
    },
  )
  worker.on('lockRenewalFailed', (ids: string[]) => {
    for (const id of ids) worker.cancelJob(id, 'its lock was lost')
  })
  worker.on('error', (error) => options.log.warn({ err: error }, 'queue error'))
  return worker
}
