import { type Job, UnrecoverableError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { RedisSettings } from '../redis.ts'
import { catalog, type Payload, type QueueName } from './catalog.ts'
import { JobLocks, lockMs } from './locks.ts'
import { queuePrefix } from './queues.ts'

export interface WorkerSettings<Name extends QueueName = QueueName> {
  redis: Redis
  settings: RedisSettings
  /** Shown in Bull Board and in events; its heartbeat beats under it. */
  name: string
  concurrency: number
  log: Logger
  /** Asked when the job's lock was lost: whether the work is still this worker's. Without it, it is. */
  ours?(payload: Payload<Name>): Promise<boolean>
}

/**
 * A BullMQ worker as Remodel uses it: locks that outlast a stall (`JobLocks`), while what a dead worker had in hand is given to
 * others by its heartbeat, and an abort signal that fires where the work is in other hands. How often a job may be begun is
 * the ledger's business, so BullMQ's own limits on stalled jobs are lifted.
 */
export function startWorker<Name extends QueueName>(
  queue: Name | `${Name}-${string}`,
  options: WorkerSettings<Name>,
  process: (payload: Payload<Name>, signal: AbortSignal, job: Job, token: string) => Promise<unknown>,
): Worker {
  const schema = catalog[queue.split('-')[0] as Name]
  const worker = new Worker(
    queue,
    // BullMQ counts the parameters: a default value would hide the third one, and nothing could be cancelled.
    async (job, token, signal) => {
      const read = schema.safeParse(job.data)
      if (!read.success) throw new UnrecoverableError(`this job does not fit queue ${queue}: ${read.error.message}`)
      const payload = read.data as Payload<Name>
      const ours = async () => options.ours?.(payload) ?? true
      const held = { token: token ?? '', ours }
      const { signal: never } = new AbortController()
      return locks.during(job.id ?? '', held, () => process(payload, signal ?? never, job, held.token))
    },
    {
      connection: options.redis,
      prefix: queuePrefix(options.settings),
      name: options.name,
      concurrency: options.concurrency,
      lockDuration: lockMs,
      skipLockRenewal: true,
      stalledInterval: 1000,
      maxStalledCount: 1_000_000,
      drainDelay: 5,
      removeOnComplete: { count: 1000, age: 3600 },
      removeOnFail: { count: 1000, age: 24 * 3600 },
    },
  )
  const locks = new JobLocks(worker, options.redis, options.log)
  worker.on('error', (error) => options.log.warn({ err: error }, 'queue error'))
  return worker
}
