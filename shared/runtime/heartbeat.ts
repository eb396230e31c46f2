import type { Redis } from 'ioredis'
import type { Remodel } from '../model/plan.ts'
import { countKnowing, type KnownSteps } from '../queue/known-steps.ts'
import { type Loop, startLoop } from './loop.ts'
import type { RedisSettings } from './redis.ts'
import { signOfLife } from './sign-of-life.ts'

const beatMs = 1000
/** Longer than any stall that is no crash. */
const lifeMs = 12_000

/**
 * The steps of a worker never change: they are written now and then, and lost with a Redis that came
 * back older until then.
 */
const stepsBeats = 20
const stepsLifeMs = 60_000

/** How many jobs of a queue a worker carries out at a time, and which steps it knows. */
export interface Seats {
  queue: string
  concurrency: number
  steps?: KnownSteps
}

/**
 * Says that this process lives, and what it can do: a key that is written each second, and a channel it listens to,
 * because Redis knows at once when a connection ended. Claims of a process that has gone silent may be taken away.
 */
export class Heartbeat {
  readonly #redis: Redis
  readonly #prefix: string
  readonly #self: string
  readonly #seats: Seats | undefined
  #loop: Loop | undefined
  #beats = 0

  constructor(redis: Redis, settings: RedisSettings, self: string, seats?: Seats) {
    this.#redis = redis
    this.#prefix = settings.prefix
    this.#self = self
    this.#seats = seats
  }

  /**
   * @param subscriber A connection of this process that is subscribed to something; it must not be shared with others.
   */
  async start(subscriber?: Redis): Promise<void> {
    await subscriber?.subscribe(this.#alive(this.#self))
    await this.#beat()
    this.#loop = startLoop({ everyMs: beatMs, turn: () => this.#beat(), failed: () => {} })
  }

  async stop(): Promise<void> {
    // A beat that ended later would enter this process again.
    await this.#loop?.stop()
    if (this.#seats) await this.#redis.srem(this.#workers(this.#seats.queue), this.#self)
    await this.#redis.del(this.#alive(this.#self))
    if (this.#seats?.steps) await this.#redis.del(this.#steps(this.#self))
  }

  /** Queues that a worker has served, of sites too. */
  async served(): Promise<string[]> {
    return (await this.#redis.smembers(this.#served)).toSorted()
  }

  get #served(): string {
    return `${this.#prefix}:queues`
  }

  async alive(process: string): Promise<boolean> {
    return (await this.#said(process)) !== null
  }

  /** What it said last; null where it has been silent for long. */
  #said(process: string): Promise<string | null> {
    return signOfLife(this.#redis, this.#alive(process), lifeMs)
  }

  /** How many jobs of a queue the living workers carry out at a time, all of them together. */
  async seats(queue: string): Promise<number> {
    const living = await this.#living(queue)
    return [...living.values()].reduce((sum, text) => sum + Number(text.split(' ')[1]), 0)
  }

  /** How many workers of a remodel's queue live, and how many of them know its step. */
  async knowing(
    kind: string,
    remodel: Pick<Remodel, 'step' | 'queue' | 'version'>,
  ): Promise<{ living: number; knowing: number }> {
    const living = [...(await this.#living(remodel.queue ?? '')).keys()]
    const announced = living.map((worker) => this.#steps(worker))
    return { living: living.length, knowing: await countKnowing(this.#redis, announced, kind, remodel) }
  }

  /** The workers of a queue that live, and what they said last. */
  async #living(queue: string): Promise<Map<string, string>> {
    const workers = await this.#redis.smembers(this.#workers(queue))
    const said = await Promise.all(workers.map((worker) => this.#said(worker)))
    const gone = workers.filter((_, i) => said[i] === null)
    if (gone.length > 0) await this.#redis.srem(this.#workers(queue), ...gone)
    return new Map(workers.flatMap((worker, i) => (said[i] === null ? [] : [[worker, said[i]!] as const])))
  }

  /** The beat each of them has come to, and whether a connection of it is open; null where none was heard for long. */
  async listenTo(processes: readonly string[]): Promise<Map<string, { beat: string | null; connected: boolean }>> {
    const heard = new Map<string, { beat: string | null; connected: boolean }>()
    if (processes.length === 0) return heard
    const channels = processes.map((process) => this.#alive(process))
    const [beats, counts] = await Promise.all([
      Promise.all(channels.map((key) => this.#redis.get(key))),
      this.#redis.pubsub('NUMSUB', ...channels),
    ])
    for (const [i, process] of processes.entries())
      heard.set(process, { beat: beats[i] ?? null, connected: Number(counts[2 * i + 1]) > 0 })
    return heard
  }

  async #beat(): Promise<void> {
    await this.#redis.set(this.#alive(this.#self), `${++this.#beats} ${this.#seats?.concurrency ?? 1}`, 'PX', lifeMs)
    if (!this.#seats) return
    const { queue, steps } = this.#seats
    // First what it knows: a worker that is counted and has not said it counts as one that knows everything.
    if (steps && this.#beats % stepsBeats === 1)
      await this.#redis.set(this.#steps(this.#self), JSON.stringify(steps), 'PX', stepsLifeMs)
    await Promise.all([this.#redis.sadd(this.#workers(queue), this.#self), this.#redis.sadd(this.#served, queue)])
  }

  #alive(process: string): string {
    return `${this.#prefix}:alive:${process}`
  }

  #steps(process: string): string {
    return `${this.#prefix}:steps:${process}`
  }

  #workers(queue: string): string {
    return `${this.#prefix}:workers:${queue}`
  }
}
