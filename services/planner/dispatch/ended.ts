import type { Redis } from 'ioredis'
import type { QueueName } from '../../../shared/queue/catalog.ts'
import type { Queues } from '../../../shared/queue/queues.ts'

/**
 * Jobs that ended without the ledger knowing: a Redis that came back older forgot that they had begun, not that they ended.
 * They are kept for a while, and their id would swallow every later one of the same release.
 */
export class EndedJobs {
  readonly #redis: Redis
  readonly #queues: Queues

  constructor(redis: Redis, queues: Queues) {
    this.#redis = redis
    this.#queues = queues
  }

  /** Takes away those that ended; what waits or runs is left alone. */
  async remove(jobs: ReadonlyMap<QueueName, readonly string[]>): Promise<void> {
    for (const [name, ids] of jobs) {
      const queue = this.#queues.get(name)
      const pipeline = this.#redis.pipeline()
      for (const id of ids) pipeline.hget(queue.toKey(id), 'finishedOn')
      const replies = (await pipeline.exec()) ?? []
      await Promise.all(ids.map((id, i) => (replies[i]?.[1] ? queue.remove(id) : undefined)))
    }
  }
}
