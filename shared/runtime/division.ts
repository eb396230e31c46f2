import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { type Loop, startLoop } from './loop.ts'
import { capTimes } from './redis/cap-times.ts'
import type { RedisSettings } from './redis.ts'

const beatMs = 1000
const lifeMs = 3500

/**
 * Which processes of a role are alive, and which of them a deployment falls to (rendezvous hashing).
 *
 * Only a division of labour, no lock: two that disagree for a moment do the same thing twice, or leave it for a moment.
 * Two planners publish the same job under one id, and each of them sweeps what no other one does.
 */
export class Division {
  readonly #redis: Redis
  readonly #key: string
  readonly #self: string
  #alive: string[]
  #loop: Loop | undefined

  constructor(redis: Redis, settings: RedisSettings, { role, self }: { role: 'planners' | 'lookouts'; self: string }) {
    this.#redis = redis
    this.#key = `${settings.prefix}:${role}`
    this.#self = self
    this.#alive = [self]
  }

  async start(): Promise<void> {
    await this.#beat()
    this.#loop = startLoop({ everyMs: beatMs, turn: () => this.#beat(), failed: () => {} })
  }

  async stop(): Promise<void> {
    // A beat that ended later would enter this process again.
    await this.#loop?.stop()
    await this.#redis.zrem(this.#key, this.#self)
  }

  /** True where the work of this deployment is this process's. */
  falls(deployment: string): boolean {
    return (
      this.#alive.reduce((best, one) => (score(one, deployment) > score(best, deployment) ? one : best)) === this.#self
    )
  }

  async #beat(): Promise<void> {
    // Redis' clock: with its own, a process that is an hour ahead would be taken for alive for an hour after its end.
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

function score(process: string, deployment: string): string {
  return createHash('sha1').update(`${process} ${deployment}`).digest('hex')
}
