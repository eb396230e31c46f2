import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { RemodelError } from '../../../shared/errors.ts'
import type { RedisSettings } from '../../../shared/redis.ts'

/** What was begun so long ago was left by a planner that is gone: no drawing takes so long. */
const forgottenMs = 15 * 60_000
const lookMs = 50

/**
 * Who is drawing a plan just now. What a plan names is seen from the moment it is stored; between its first look at the
 * supplies and that moment only this knows that somebody may rely on them.
 */
export class Drawings {
  readonly #redis: Redis
  readonly #key: string

  constructor(redis: Redis, settings: RedisSettings) {
    this.#redis = redis
    this.#key = `${settings.prefix}:{supply}:drawings`
  }

  /** Does `work`, which reads supplies and stores a plan. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const member = `${await this.#time()} ${randomUUID()}`
    await this.#redis.zadd(this.#key, await this.#next(), member)
    try {
      return await work()
    } finally {
      await this.#redis.zrem(this.#key, member)
    }
  }

  /** Waits until everybody who is drawing now is done; throws `deadline` where that takes longer than `timeoutMs`. */
  async settled(timeoutMs = 600_000): Promise<void> {
    const now = await this.#next()
    const until = performance.now() + timeoutMs
    for (;;) {
      const members = await this.#redis.zrangebyscore(this.#key, '-inf', now)
      const time = await this.#time()
      const left = members.filter((member) => time - Number(member.split(' ')[0]) > forgottenMs)
      if (left.length > 0) await this.#redis.zrem(this.#key, ...left)
      if (members.length === left.length) return
      if (performance.now() > until) throw new RemodelError('deadline', 'a plan is being drawn for very long')
      await sleep(lookMs)
    }
  }

  /** Milliseconds by Redis' clock: those of two planners may be hours apart. */
  async #time(): Promise<number> {
    const [seconds] = await this.#redis.time()
    return Number(seconds) * 1000
  }

  #next(): Promise<number> {
    return this.#redis.incr(`${this.#key}:number`)
  }
}
