import { randomUUID } from 'node:crypto'
import { type Job, QueueEvents } from 'bullmq'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { boardName, jobId, payloads } from '../queue/payloads.ts'
import { Queues, queuePrefix } from '../queue/queues.ts'
import { StrandedJobs } from '../queue/stranded.ts'
import { RemodelError, toError } from '../runtime/errors.ts'
import { connectRedis, type RedisSettings, redisAddress, settingsFor } from '../runtime/redis.ts'
import { invalidInput, SourceDocument } from '../source/document.ts'
import { schemaWords } from '../source/schema-words.ts'

/** How to reach Remodel's Redis, and how the job is kept in its queue; the rest is the order itself. */
export interface EnqueueOptions extends z.input<typeof payloads.deploys> {
  /** `redis://[user:password@]host:port`, the one that the planner uses. */
  redisUrl: string
  /** REMODEL_PREFIX of the planner; `remodel` where it has none. */
  prefix?: string
  /**
   * Your own name for this order makes enqueueing idempotent: a second one is not added as long as the first is kept.
   */
  id?: string
  /** How often a planner may try, 5 s apart: more than 1 waits for a deployment that another plan holds. Default 1. */
  attempts?: number
}

/**
 * What a planner answers when the plan is running. Whether it ends well is in the ledger:
 * `remodel task <plan> --follow`.
 */
const DeployAnswer = z.object({ plan: z.string(), deployment: z.string(), remodels: z.int().nonnegative() })
type DeployAnswer = z.infer<typeof DeployAnswer>

export interface EnqueuedDeploy {
  /** Id of the job in the queue `deploys`, as Bull Board shows it. */
  id: string
  /**
   * Waits until a planner has drawn the plan and begun to carry it out. Throws `job-failed` with the planner's
   * sentences where it refused, `deadline` where none had an answer after `timeoutMs` (default: 60 s),
   * `unavailable` without Redis.
   */
  result(timeoutMs?: number): Promise<DeployAnswer>
}

/**
 * Asks for a deploy: adds a job to the queue `deploys`, where any planner takes it, plans it and applies the plan.
 *
 * The order is checked before it is added: throws `invalid-input` with the path of every fault. Whether the manifest
 * fits is the planner's to say. Throws `unavailable` at once where Redis does not answer.
 */
export async function enqueueDeploy({
  redisUrl,
  prefix = 'remodel',
  id,
  attempts = 1,
  ...order
}: EnqueueOptions): Promise<EnqueuedDeploy> {
  const checked = payloads.deploys.safeParse(order, { error: schemaWords })
  if (!checked.success) {
    throw invalidInput(checked.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })))
  }
  const settings = settingsFor(redisUrl, prefix)
  // Never a number of BullMQ's own: it counts from 1 again where its counter was lost, and would write over older jobs.
  const name = jobId('deploy', id ?? randomUUID())
  await withQueue(settings, async (queue, redis) => {
    await new StrandedJobs(redis, settings).clear('deploys', [name], false)
    await queue.add(boardName(deploymentOf(order.manifest), `deploy ${order.manifest.name}`), checked.data, {
      attempts,
      backoff: { type: 'fixed', delay: 5000 },
      jobId: name,
    })
  })
  return { id: name, result: (timeoutMs = 60_000) => awaitResult(settings, name, timeoutMs) }
}

/**
 * Whose deploy it is, as far as the manifest says so: the planner reads it properly, and refuses one that says nothing.
 */
function deploymentOf({ content }: { content: string }): string {
  try {
    const { name, id } = Object(new SourceDocument('manifest', content).value)
    return [name, id].find((one) => typeof one === 'string') ?? '?'
  } catch {
    return '?'
  }
}

const askAgainMs = 2000

async function awaitResult(settings: RedisSettings, id: string, timeoutMs: number): Promise<DeployAnswer> {
  return withQueue(settings, async (queue) => {
    const connection = connectRedis(settings, 'service')
    const events = new QueueEvents('deploys', { connection, prefix: queuePrefix(settings) })
    events.on('error', () => {})
    try {
      const job = await queue.getJob(id)
      if (!job)
        throw new RemodelError(
          'not-found',
          `there is no job ${id} in the queue deploys: finished ones are kept for an hour`,
        )
      return DeployAnswer.parse(await endOf(job, events, timeoutMs))
    } finally {
      await events.close()
      connection.disconnect()
    }
  })
}

/**
 * What the job returned. Throws `job-failed` with its reason; `deadline`.
 *
 * An end that came just before the first event was listened for would be waited for in vain, so the queue
 * is asked now and then.
 */
async function endOf(job: Job, events: QueueEvents, timeoutMs: number): Promise<unknown> {
  const until = performance.now() + timeoutMs
  for (let isOver = false; ; ) {
    try {
      return await job.waitUntilFinished(events, Math.max(1, Math.min(askAgainMs, until - performance.now())))
    } catch (thrown) {
      // Why a job failed and that nothing was heard of it are both plain errors; of a job that is over it is the first.
      if (isOver) throw new RemodelError('job-failed', toError(thrown).message, { details: { job: job.id } })
      const state = await job.getState()
      isOver = state === 'failed' || state === 'completed'
      if (!isOver && performance.now() >= until)
        throw new RemodelError('deadline', `job ${job.id} is ${state} after ${timeoutMs} ms: does a planner run?`, {
          cause: thrown,
        })
    }
  }
}

/** Opens the queue for one piece of work: nothing stays open that a caller would have to close. */
async function withQueue<T>(
  settings: RedisSettings,
  work: (queue: ReturnType<Queues['get']>, redis: Redis) => Promise<T>,
): Promise<T> {
  const redis = connectRedis(settings, 'request', { lazyConnect: true, retryStrategy: () => null })
  const queues = new Queues(redis, settings)
  try {
    await redis.connect().catch((cause) => {
      throw new RemodelError('unavailable', `Redis at ${redisAddress(settings)} cannot be reached`, { cause })
    })
    return await work(queues.get('deploys'), redis)
  } finally {
    await queues.close()
    redis.disconnect()
  }
}
