import type { Redis } from 'ioredis'
import { Heartbeat } from '../../../shared/runtime/heartbeat.ts'
import type { RedisSettings } from '../../../shared/runtime/redis.ts'

/**
 * How long a worker is silent that is gone: one whose connection ended has died or comes back at once,
 * else it may be stalled.
 */
const patienceMs = { disconnected: 2000, connected: 9000 }
/**
 * The most that counts of a silence between two looks: a planner that was stalled itself, or Redis, has heard no beats.
 */
const longestGapMs = 1000
/** A worker that was not asked about for this long is forgotten. */
const memoryMs = 60_000

interface Silence {
  beat: string | null
  silentMs: number
  lookedAt: number
}

/**
 * Which workers are gone. A worker shows itself by a beat that goes on; the silence is measured by this
 * process' own monotonic clock and only while Redis answers, so neither a stall nor the step of any clock
 * makes a living worker look dead.
 */
export class Workers {
  readonly #heartbeat: Heartbeat
  readonly #heard = new Map<string, Silence>()

  constructor(redis: Redis, settings: RedisSettings) {
    this.#heartbeat = new Heartbeat(redis, settings, 'planner')
  }

  /** Those of `workers` that have been silent for long enough. */
  async gone(workers: readonly string[]): Promise<string[]> {
    const heard = await this.#heartbeat.listenTo(workers)
    const now = performance.now()
    const gone: string[] = []
    for (const [worker, { beat, connected }] of heard) {
      const before = this.#heard.get(worker)
      const silent = before !== undefined && before.beat === beat
      const silentMs = silent ? before.silentMs + Math.min(now - before.lookedAt, longestGapMs) : 0
      this.#heard.set(worker, { beat, silentMs, lookedAt: now })
      if (silentMs >= patienceMs[connected ? 'connected' : 'disconnected']) gone.push(worker)
    }
    for (const [worker, { lookedAt }] of this.#heard) if (now - lookedAt > memoryMs) this.#heard.delete(worker)
    return gone
  }
}
