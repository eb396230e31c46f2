import type { Redis } from 'ioredis'
import { Heartbeat } from '../../../shared/runtime/heartbeat.ts'
import type { RedisSettings } from '../../../shared/runtime/redis.ts'

/** How many jobs are published for each that workers carry out at a time: one running, one to go on with. */
const ahead = 2
/**
 * Bounds of what one plan has published in one queue: workers that are just starting find work, and turns stay short.
 */
const [least, most] = [8, 1024]
/** How many are published of a queue without workers. */
const usual = 64
const freshMs = 1000

/**
 * How much of each queue may be published of one plan: what the living workers can begin soon, shared among the
 * deployments that run. The rest stays in the ledger, so queues are shallow and a sweep looks at little.
 */
export class Allowances {
  readonly #heartbeat: Heartbeat
  readonly #known = new Map<string, { at: number; seats: number }>()

  constructor(redis: Redis, settings: RedisSettings) {
    this.#heartbeat = new Heartbeat(redis, settings, 'planner')
  }

  async of(queues: readonly string[], deployments: number): Promise<Record<string, number>> {
    const entries = queues.map(async (queue) => {
      const whole = Math.max(usual, ahead * (await this.#seats(queue)))
      return [queue, Math.min(most, Math.max(least, Math.ceil(whole / Math.max(1, deployments))))] as const
    })
    return Object.fromEntries(await Promise.all(entries))
  }

  async #seats(queue: string): Promise<number> {
    const known = this.#known.get(queue)
    if (known && performance.now() - known.at < freshMs) return known.seats
    const seats = await this.#heartbeat.seats(queue)
    this.#known.set(queue, { at: performance.now(), seats })
    return seats
  }
}
