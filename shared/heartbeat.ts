import type { Redis } from 'ioredis'
import type { RedisSettings } from './redis.ts'

const beatMs = 1000
const lifeMs = 5000

/** Says that this process lives; what belongs to one that has gone silent may be taken away. */
export class Heartbeat {
  readonly #redis: Redis
  readonly #prefix: string
  readonly #self: string
  #timer: NodeJS.Timeout | undefined

  constructor(redis: Redis, settings: RedisSettings, self: string) {
    this.#redis = redis
    this.#prefix = `${settings.prefix}:alive:`
    this.#self = self
  }

  async start(): Promise<void> {
    await this.#beat()
    this.#timer = setInterval(() => this.#beat().catch(() => {}), beatMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#redis.del(this.#prefix + this.#self)
  }

  async alive(process: string): Promise<boolean> {
    return (await this.#redis.exists(this.#prefix + process)) === 1
  }

  async #beat(): Promise<void> {
    await this.#redis.set(this.#prefix + this.#self, '1', 'PX', lifeMs)
  }
}
