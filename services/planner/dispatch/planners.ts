import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { type Loop, startLoop } from '../../../shared/runtime/loop.ts'
import { capTimes } from '../../../shared/runtime/redis/cap-times.ts'
import type { RedisSettings } from '../../../shared/runtime/redis.ts'

const beatMs = 1000
const lifeMs = 3500

/**
 * Which planners are alive, and which of them a deployment falls to (rendezvous hashing).
 *
 * Only a division of labour: two planners that disagree for a moment publish the same job twice under one id, and a
 * deployment that falls to none of them for a moment is picked up by every planner's sweep.
 */
export class Planners {
  readonly #redis: Redis
  readonly #key: string
  readonly #self: string
  #alive: string[]
  #loop: Loop | undefined

  constructor(redis: Redis, settings: RedisSettings, self: string) {
    this.#redis = redis
    this.#key = `${settings.prefix}:planners`
    this.#self = self
    this.#alive = [self]
  }

  async start(): Promise<void> {
    await this.#beat()
    this.#loop = startLoop({ everyMs: beatMs, turn: () => this.#beat(), failed: () => {} })
  }

  async stop(): Promise<void> {
    // A beat that ended later would enter this planner again.
    await this.#loop?.stop()
    await this.#redis.zrem(this.#key, this.#self)
  }

  /** True where work of this deployment is this planner's to publish. */
  falls(deployment: string): boolean {
    return (
      this.#alive.reduce((best, planner) => (score(planner, deployment) > score(best, deployment) ? planner : best)) ===
      this.#self
    )
  }

  async #beat(): Promise<void> {
    // Redis' clock: with its own, a planner that is an hour ahead would be taken for alive for an hour after its end.
    const [seconds] = await this.#redis.time()
    const now = Number(seconds) * 1000
    // One that died before this clock was set back would have its share of the deployments until
    // the clock has caught up.
    await capTimes(this.#redis, this.#key, now + lifeMs)
    const replies = await this.#redis
      .multi()
      .zadd(this.#key, now + lifeMs, this.#self)
      .zremrangebyscore(this.#key, '-inf', String(now))
      .zrange(this.#key, '0', '-1')
      .exec()
    const alive = replies?.[2]?.[1] as string[] | undefined
    if (alive && alive.length > 0) this.#alive = alive
  }
}

function score(planner: string, deployment: string): string {
  return createHash('sha1').update(`${planner} ${deployment}`).digest('hex')
}
