import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { startLoop } from '../../../shared/runtime/loop.ts'
import type { RedisSettings } from '../../../shared/runtime/redis.ts'
import { signOfLife } from '../../../shared/runtime/sign-of-life.ts'

/** A planner that has not shown for so long that it lives is gone, or has stood still. */
const usualLifeMs = 20_000
const lookMs = 50
/** So often a planner that stood still begins again. */
const attempts = 3

/**
 * The planners that are drawing a plan, or taking a release in, just now. The blobs that a plan or a release names are
 * known once it is stored; between the first look at the catalog and that moment only this knows that a planner may
 * rely on them.
 */
export class PlanningSessions {
  readonly #redis: Redis
  readonly #key: string
  readonly #lifeMs: number

  /** @param lifeMs how long a session outlives a planner that vanished. */
  constructor(redis: Redis, settings: RedisSettings, { lifeMs = usualLifeMs }: { lifeMs?: number } = {}) {
    this.#redis = redis
    this.#key = `${settings.prefix}:{supply}:drawings`
    this.#lifeMs = lifeMs
  }

  /**
   * Does `work`, which reads the catalog and stores a plan or a release. Where a clean-up counted this planner as gone
   * meanwhile, because it stood still, what the work relied on may have been taken away: it is done again. Throws
   * `infrastructure` where that happens each time.
   */
  async during<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const drawing = randomUUID()
      const show = async () => {
        await this.#redis.set(this.#sign(drawing), 1, 'PX', this.#lifeMs)
      }
      await show()
      await this.#redis.zadd(this.#key, await this.#next(), drawing)
      const beat = startLoop({ everyMs: this.#lifeMs / 5, turn: show, failed: () => {} })
      try {
        const result = await work()
        // `settled` takes out those that it does not wait for.
        if ((await this.#redis.zrem(this.#key, drawing)) === 1) return result
      } finally {
        await beat.stop()
        await this.#redis.multi().zrem(this.#key, drawing).del(this.#sign(drawing)).exec()
      }
    }
    throw new RemodelError(
      'infrastructure',
      'this planner stood still again and again while it drew a plan or took a release in; ask again',
    )
  }

  /**
   * Waits until all planners that are drawing now are done; throws `deadline` where that takes longer than `timeoutMs`.
   */
  async settled(timeoutMs = 600_000): Promise<void> {
    const now = await this.#next()
    const until = performance.now() + timeoutMs
    for (;;) {
      const drawings = await this.#redis.zrangebyscore(this.#key, '-inf', now)
      const signs = await Promise.all(drawings.map((one) => signOfLife(this.#redis, this.#sign(one), this.#lifeMs)))
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
