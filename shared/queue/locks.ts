import type { Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { toError } from '../runtime/errors.ts'

/**
 * As long as a stall may last; that a worker is gone is noticed by its heartbeat, and sooner
 * (`services/planner/dispatch/abandoned.ts`).
 */
export const lockMs = 30_000
const renewMs = 5000

interface HeldJob {
  token: string
  /** Whether the work is still this worker's, as the ledger says. */
  ours(): Promise<boolean>
}

/**
 * Keeps the locks of running jobs. BullMQ's own renewal goes by the host's clock, and stops for as long as that is set
 * back; this one goes by the monotonic clock.
 *
 * A lock that was lost says little: Redis stalled, its clock was set forward, or the key was deleted. So nothing is
 * stopped before the ledger was asked. Where the work is still ours the lock is taken again, unless another worker has
 * it by now: to that one the ledger answers that the work is claimed by us.
 */
export class JobLocks {
  readonly #worker: Worker
  readonly #redis: Redis
  readonly #log: Logger
  readonly #held = new Map<string, HeldJob>()
  readonly #timer: NodeJS.Timeout
  #renewing = false

  constructor(worker: Worker, redis: Redis, log: Logger) {
    this.#worker = worker
    this.#redis = redis
    this.#log = log
    this.#timer = setInterval(() => void this.renew(), renewMs)
    worker.on('closed', () => clearInterval(this.#timer))
  }

  async during<T>(id: string, job: HeldJob, work: () => Promise<T>): Promise<T> {
    this.#held.set(id, job)
    try {
      return await work()
    } finally {
      if (this.#held.get(id) === job) this.#held.delete(id)
    }
  }

  async renew(): Promise<void> {
    if (this.#renewing || this.#held.size === 0) return
    this.#renewing = true
    try {
      const ids = [...this.#held.keys()]
      const tokens = ids.map((id) => this.#held.get(id)!.token)
      await Promise.all((await this.#worker.extendJobLocks(ids, tokens, lockMs)).map((id) => this.#lost(id)))
    } catch (error) {
      this.#log.debug({ err: toError(error) }, 'locks of jobs could not be renewed; they are at the next turn')
    } finally {
      this.#renewing = false
    }
  }

  async #lost(id: string): Promise<void> {
    const job = this.#held.get(id)
    if (!job) return
    if (await job.ours()) await this.#redis.set(`${this.#worker.toKey(id)}:lock`, job.token, 'PX', lockMs, 'NX')
    else this.#worker.cancelJob(id, 'it is in other hands')
  }
}
