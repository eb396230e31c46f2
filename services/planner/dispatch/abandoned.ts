import type { Redis } from 'ioredis'
import { queuePrefix } from '../../../shared/queue/queues.ts'
import { stalledCheckMs } from '../../../shared/queue/worker.ts'
import type { RedisSettings } from '../../../shared/runtime/redis.ts'
import type { Workers } from './workers.ts'

/** A site's own queue is not among them: its work is released anew by the ledger, and the old job's lock runs out. */
const queues = ['assemble', 'compile', 'deploys', 'rebuild'] as const

/**
 * Jobs whose worker is gone: their locks, which last as long as a stall may, are taken away, and BullMQ's
 * check for stalled jobs gives them to other workers within a second. That check is taken by one worker with a
 * key that runs out; one that was written before the clock of Redis was set back would keep all workers from
 * it until the clock has caught up.
 */
export class AbandonedJobs {
  readonly #redis: Redis
  readonly #settings: RedisSettings
  readonly #workers: Workers

  constructor(redis: Redis, settings: RedisSettings, workers: Workers) {
    this.#redis = redis
    this.#settings = settings
    this.#workers = workers
  }

  async free(): Promise<void> {
    const jobs = new Map<string, string>()
    for (const queue of queues) {
      const prefix = `${queuePrefix(this.#settings)}:${queue}:`
      const [, ids] = await Promise.all([
        this.#redis.pexpire(`${prefix}stalled-check`, stalledCheckMs, 'LT'),
        this.#redis.lrange(`${prefix}active`, 0, -1),
      ])
      const workers = await Promise.all(ids.map((id) => this.#redis.hget(prefix + id, 'pb')))
      for (const [i, id] of ids.entries()) if (workers[i]) jobs.set(prefix + id, workers[i])
    }
    const gone = new Set(await this.#workers.gone([...new Set(jobs.values())]))
    const locks = [...jobs].flatMap(([key, worker]) => (gone.has(worker) ? [`${key}:lock`] : []))
    await Promise.all(locks.map((lock) => this.#redis.del(lock)))
  }
}
