import type { Redis } from 'ioredis'
import type { RedisSettings } from './redis.ts'

const beatMs = 1000
const lifeMs = 5000

/** How many jobs of a queue a worker carries out at a time. */
export interface Seats {
  queue: string
  concurrency: number
}

/** Says that this process lives, and what it can do; what belongs to one that has gone silent may be taken away. */
export class Heartbeat {
  readonly #redis: Redis
  readonly #prefix: string
  readonly #self: string
  readonly #seats: Seats | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(redis: Redis, settings: RedisSettings, self: string, seats?: Seats) {
    this.#redis = redis
    this.#prefix = settings.prefix
    this.#self = self
    this.#seats = seats
  }

  async start(): Promise<void> {
    await this.#beat()
    this.#timer = setInterval(() => this.#beat().catch(() => {}), beatMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    if (this.#seats) await this.#redis.srem(this.#workers(this.#seats.queue), this.#self)
    await this.#redis.del(this.#alive(this.#self))
  }

  async alive(process: string): Promise<boolean> {
    return (await this.#redis.exists(this.#alive(process))) === 1
  }

  /** How many jobs of a queue the living workers carry out at a time, all of them together. */
  async seats(queue: string): Promise<number> {
    const workers = await this.#redis.smembers(this.#workers(queue))
    const said = await Promise.all(workers.map((worker) => this.#redis.get(this.#alive(worker))))
    const gone = workers.filter((_, i) => said[i] === null)
    if (gone.length > 0) await this.#redis.srem(this.#workers(queue), ...gone)
    return said.reduce((sum, text) => sum + Number(text ?? 0), 0)
  }

  async #beat(): Promise<void> {
    await this.#redis.set(this.#alive(this.#self), String(this.#seats?.concurrency ?? 1), 'PX', lifeMs)
    if (this.#seats) await this.#redis.sadd(this.#workers(this.#seats.queue), this.#self)
  }

  #alive(process: string): string {
    return `${this.#prefix}:alive:${process}`
  }

  #workers(queue: string): string {
    return `${this.#prefix}:workers:${queue}`
  }
}
