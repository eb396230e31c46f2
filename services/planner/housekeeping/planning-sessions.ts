import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { RedisSettings } from '../../../shared/runtime/redis.ts'
import { signOfLife } from '../../../shared/runtime/sign-of-life.ts'

/** A drawing that lasts longer was left by a planner that is gone. */
const forgottenMs = 15 * 60_000
const lookMs = 50

/**
 * The planners that are drawing a plan, or taking a release in, just now. The blobs that a plan or a release names are
 * known once it is stored; between the first look at the supplies and that moment only this knows that a planner may
 * rely on them.
 */
export class PlanningSessions {
  readonly #redis: Redis
  readonly #key: string

  constructor(redis: Redis, settings: RedisSettings) {
    this.#redis = redis
    this.#key = `${settings.prefix}:{supply}:drawings`
  }

  /** Does `work`, which reads supplies and stores a plan or a release. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const drawing = randomUUID()
    await this.#redis.set(this.#sign(drawing), 1, 'PX', forgottenMs)
    await this.#redis.zadd(this.#key, await this.#next(), drawing)
    try {
      return await work()
    } finally {
      await this.#redis.multi().zrem(this.#key, drawing).del(this.#sign(drawing)).exec()
    }
  }

  /**
   * Waits until all planners that are drawing now are done; throws `deadline` where that takes longer than `timeoutMs`.
   */
  async settled(timeoutMs = 600_000): Promise<void> {
    const now = await this.#next()
    const until = performance.now() + timeoutMs
    for (;;) {
      const drawings = await this.#redis.zrangebyscore(this.#key, '-inf', now)
      const signs = await Promise.all(drawings.map((one) => signOfLife(this.#redis, this.#sign(one), forgottenMs)))
      const left = drawings.filter((_, i) => signs[i] === null)
      if (left.length > 0) await this.#redis.zrem(this.#key, ...left)
      if (drawings.length === left.length) return
      if (performance.now() > until) throw new RemodelError('deadline', 'a plan is being drawn for very long')
      await sleep(lookMs)
    }
  }

  #sign(drawing: string): string {
    return `${this.#key}:${drawing}`
  }

  #next(): Promise<number> {
    return this.#redis.incr(`${this.#key}:number`)
  }
}
