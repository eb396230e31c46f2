import type { Redis } from 'ioredis'
import { Heartbeat } from '../../../shared/heartbeat.ts'
import type { RedisSettings } from '../../../shared/redis.ts'

/** After Redis was away everybody is silent for a moment: a worker is gone when it stays silent for this long as well. */
const patienceMs = 2000

/**
 * Which workers are gone. Their queue gives their jobs to others by itself, and sooner; this is for those whose jobs are
 * gone too, because somebody emptied the queue.
 */
export class Workers {
  readonly #heartbeat: Heartbeat
  readonly #silentSince = new Map<string, number>()

  constructor(redis: Redis, settings: RedisSettings) {
    this.#heartbeat = new Heartbeat(redis, settings, 'planner')
  }

  /** Those of `workers` that have been silent for long enough. */
  async gone(workers: readonly string[]): Promise<string[]> {
    const gone: string[] = []
    for (const worker of workers) {
      if (await this.#heartbeat.alive(worker)) {
        this.#silentSince.delete(worker)
        continue
      }
      const since = this.#silentSince.get(worker) ?? performance.now()
      this.#silentSince.set(worker, since)
      if (performance.now() - since >= patienceMs) gone.push(worker)
    }
    return gone
  }
}
