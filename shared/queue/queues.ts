import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { RedisSettings } from '../runtime/redis.ts'
import type { QueueName } from './payloads.ts'

/** First part of BullMQ's keys: one hash tag, in a Redis Cluster that of all keys (`settingsFor`). */
export function queuePrefix({ prefix }: RedisSettings): string {
  return prefix.startsWith('{') ? prefix : `{${prefix}}`
}

/** How many jobs that ended are kept of each state, and for how long: seconds. */
export const keptJobs = { count: 1000, completedAge: 3600, failedAge: 24 * 3600 }

/** The producer's side of queues, opened when first used; a site has an `assemble-<site>` queue of its own. */
export class Queues {
  readonly #open = new Map<string, Queue>()
  readonly #redis: Redis
  readonly #settings: RedisSettings

  constructor(redis: Redis, settings: RedisSettings) {
    this.#redis = redis
    this.#settings = settings
  }

  get(name: QueueName | `assemble-${string}`): Queue {
    let queue = this.#open.get(name)
    if (!queue) {
      queue = new Queue(name, {
        connection: this.#redis,
        prefix: queuePrefix(this.#settings),
        defaultJobOptions: {
          // A job that fails each second would write an ever longer list of stacks.
          stackTraceLimit: 3,
          removeOnComplete: { count: keptJobs.count, age: keptJobs.completedAge },
          removeOnFail: { count: keptJobs.count, age: keptJobs.failedAge },
        },
      })
      queue.on('error', () => {})
      this.#open.set(name, queue)
    }
    return queue
  }

  /** The priority number that a queue has come to: of the job that goes next; 0 where none waits. */
  async turn(name: QueueName | `assemble-${string}`): Promise<number> {
    // A list of pairs by the newer protocol of Redis, a flat list by the older one.
    const [, score] = (await this.#redis.zrange(this.get(name).toKey('prioritized'), '0', '0', 'WITHSCORES')).flat()
    // BullMQ's score: the priority, then a counter of 32 bits.
    return Math.floor(Number(score ?? 0) / 2 ** 32)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((queue) => queue.close()))
  }
}
