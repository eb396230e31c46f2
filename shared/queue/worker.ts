import { type Job, UnrecoverableError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { RemodelError } from '../runtime/errors.ts'
import type { RedisSettings } from '../runtime/redis.ts'
import { JobFailure } from './failure.ts'
import { JobLocks, lockMs } from './locks.ts'
import { type Payload, payloads, type QueueName } from './payloads.ts'
import { keptJobs, queuePrefix } from './queues.ts'

/** How often one of the workers of a queue looks for jobs that no worker is carrying out any more. */
export const stalledCheckMs = 1000

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
 * A BullMQ worker as Remodel uses it: locks that outlast a stall (`JobLocks`), while the jobs of a dead worker are
 * given to others by its heartbeat, and an abort signal that fires where the work is in other hands. How often a job
 * may be begun is the ledger's business, so BullMQ's own limits on stalled jobs are lifted.
 *
 * What `process` returns is shown in Bull Board: a `JobFailure` under "failed", everything else under "completed".
 */
export function startWorker<Name extends QueueName>(
  queue: Name | `${Name}-${string}`,
  options: WorkerSettings<Name>,
  process: (payload: Payload<Name>, signal: AbortSignal, job: Job, token: string) => Promise<unknown>,
): Worker {
  const schema = payloads[queue.split('-')[0] as Name]
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
      await forgetReason(job, worker, options.redis)
      return locks.during(job.id ?? '', held, async () =>
        shown(await process(payload, signal ?? never, job, held.token).catch(withoutStack), job),
      )
    },
    {
      connection: options.redis,
      prefix: queuePrefix(options.settings),
      name: options.name,
      concurrency: options.concurrency,
      lockDuration: lockMs,
      skipLockRenewal: true,
      stalledInterval: stalledCheckMs,
      maxStalledCount: 1_000_000,
      drainDelay: 5,
      removeOnComplete: { count: keptJobs.count, age: keptJobs.completedAge },
      removeOnFail: { count: keptJobs.count, age: keptJobs.failedAge },
    },
  )
  const locks = new JobLocks(worker, options.redis, options.log)
  worker.on('error', (error) => options.log.warn({ err: error }, 'queue error'))
  return worker
}

/** BullMQ keeps why a job was put back; where it is begun again, and at last succeeds, that is no longer so. */
async function forgetReason(job: Job, worker: Worker, redis: Redis): Promise<void> {
  if (!job.failedReason && !job.stacktrace?.length) return
  job.stacktrace = []
  await redis.hdel(worker.toKey(job.id ?? ''), 'failedReason', 'stacktrace')
}

async function shown(result: unknown, job: Job): Promise<unknown> {
  if (!(result instanceof JobFailure)) {
    await job.updateProgress(100).catch(() => {})
    return result
  }
  if (result.log) await job.log(result.log).catch(() => {})
  return withoutStack(new UnrecoverableError(result.reason))
}

/** An error of Remodel says all there is in its sentence: a stack of its sources tells readers of the board nothing. */
function withoutStack(error: unknown): never {
  if (error instanceof UnrecoverableError || error instanceof RemodelError) error.stack = ''
  throw error
}
