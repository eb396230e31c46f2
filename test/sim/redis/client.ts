import type { Process, Scheduled, Scheduler } from '../scheduler.ts'
import { type Reply, ReplyError, Status } from './model.ts'
import type { RedisServer, Subscriber } from './server.ts'

/** How long things take on their way; drawn by the run. */
export interface Network {
  latency(): number
  /** True where a published message gets lost. */
  loses(): boolean
}

/** Something sent to the server in one piece: commands, or an operation of the model of a queue. */
interface Request {
  execute(): unknown
  resolve(value: unknown): void
  reject(error: unknown): void
  /** What of it is under way: the request or its reply. */
  flight: Scheduled | null
}

type Words = readonly unknown[]

/**
 * One connection of a process, as ioredis gives it to production code (the calls that code uses).
 *
 * In order in each direction, like TCP. When the connection breaks, what has no reply yet is sent again on the next
 * one, as ioredis does for our services: a script may be carried out twice. While Redis is away everything waits.
 */
export class RedisClient implements Subscriber {
  readonly channels = new Set<string>()
  readonly process: Process
  readonly #scheduler: Scheduler
  readonly #server: RedisServer
  readonly #network: Network
  readonly #listeners: ((channel: string, text: string) => void)[] = []
  readonly #ready: (() => void)[] = []
  readonly #closed: (() => void)[] = []
  #open: Request[] = []
  #connectedAt = 0
  #lastArrival = 0
  #lastReply = 0

  constructor(parts: { scheduler: Scheduler; server: RedisServer; network: Network; process: Process }) {
    this.process = parts.process
    this.#scheduler = parts.scheduler
    this.#server = parts.server
    this.#network = parts.network
    this.#server.subscribers.add(this)
    this.process.onDeath.push(() => this.disconnect())
  }

  disconnect(): void {
    this.#server.subscribers.delete(this)
    for (const request of this.#open) request.flight?.cancel()
    this.#open = []
  }

  /** The connection breaks and comes back after `ms`. */
  cut(ms: number): void {
    if (!this.process.alive) return
    for (const listener of this.#closed) listener()
    this.#connectedAt = Math.max(this.#connectedAt, this.#scheduler.now + ms)
    this.#lastArrival = this.#lastReply = 0
    this.#scheduler.after(this.#connectedAt - this.#scheduler.now, this.process, () => {
      if (this.#connectedAt <= this.#scheduler.now) for (const listener of this.#ready) listener()
    })
    for (const request of this.#open) {
      request.flight?.cancel()
      this.#send(request)
    }
  }

  on(event: string, listener: (channel: string, text: string) => void): this {
    if (event === 'message') this.#listeners.push(listener)
    if (event === 'ready') this.#ready.push(listener as () => void)
    if (event === 'close') this.#closed.push(listener as () => void)
    return this
  }

  off(event: string, listener: () => void): this {
    if (event === 'ready') this.#ready.splice(this.#ready.indexOf(listener) >>> 0, 1)
    return this
  }

  async subscribe(channel: string): Promise<void> {
    await this.send(() => this.channels.add(channel))
  }

  /** `PUBSUB NUMSUB`, with how many connections that are open now listen to each. */
  async pubsub(_word: 'NUMSUB', ...channels: string[]): Promise<(string | number)[]> {
    return this.send(() => {
      const open = ([...this.#server.subscribers] as RedisClient[]).filter((one) => one.open)
      return channels.flatMap((channel) => [channel, open.filter((one) => one.channels.has(channel)).length])
    })
  }

  get open(): boolean {
    return this.#connectedAt <= this.#scheduler.now
  }

  /** When everything that was sent by now has come to the server. */
  get arrivedAt(): number {
    return Math.max(this.#connectedAt, this.#lastArrival)
  }

  receive(channel: string, text: string): void {
    if (this.#connectedAt > this.#scheduler.now || this.#network.loses()) return
    const at = this.#reply()
    this.#scheduler.after(at - this.#scheduler.now, this.process, () => {
      if (this.#connectedAt > this.#scheduler.now) return
      for (const listener of this.#listeners) listener(channel, text)
    })
  }

  defineCommand(name: string, { numberOfKeys, lua }: { numberOfKeys: number; lua: string }): void {
    Reflect.set(this, name, (...args: Words) => this.command('EVAL', [lua, numberOfKeys, ...args]))
  }

  async command(name: string, args: Words): Promise<unknown> {
    return this.send(() => {
      const reply = this.#server.run(name, flat(args))
      if (reply instanceof ReplyError) throw reply
      return shaped(name, reply)
    })
  }

  pipeline(): Chain {
    return new Chain(this)
  }

  /** Carried out in one step. */
  multi(): Chain {
    return new Chain(this)
  }

  runNow(name: string, args: Words): unknown {
    const reply = this.#server.run(name, flat(args))
    return reply instanceof ReplyError ? reply : shaped(name, reply)
  }

  /** Sends an operation of the server; what it throws reaches the sender. */
  send<T>(execute: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const request: Request = { execute, resolve: resolve as (value: unknown) => void, reject, flight: null }
      this.#open.push(request)
      this.#send(request)
    })
  }

  #send(request: Request): void {
    const { now } = this.#scheduler
    const at = Math.max(Math.max(now, this.#connectedAt) + this.#network.latency(), this.#lastArrival + 0.001)
    this.#lastArrival = at
    request.flight = this.#scheduler.after(at - now, null, () => this.#arrive(request))
  }

  #arrive(request: Request): void {
    const { awayUntil } = this.#server
    if (awayUntil > this.#scheduler.now) {
      // Kept in order: everything of this connection that arrives meanwhile is put behind it.
      const at = Math.max(awayUntil, this.#lastArrival + 0.001)
      this.#lastArrival = at
      request.flight = this.#scheduler.after(at - this.#scheduler.now, null, () => this.#arrive(request))
      return
    }
    let finish: () => void
    try {
      const value = request.execute()
      finish = () => request.resolve(value)
    } catch (error) {
      if (!(error instanceof Error)) throw error
      finish = () => request.reject(error)
    }
    const at = this.#reply()
    request.flight = this.#scheduler.after(at - this.#scheduler.now, this.process, () => {
      this.#open.splice(this.#open.indexOf(request), 1)
      finish()
    })
  }

  #reply(): number {
    this.#lastReply = Math.max(this.#scheduler.now + this.#network.latency(), this.#lastReply + 0.001)
    return this.#lastReply
  }
}

/** A pipeline or transaction: replies come as pairs of error and value. */
class Chain {
  readonly #client: RedisClient
  readonly #commands: [string, Words][] = []

  constructor(client: RedisClient) {
    this.#client = client
  }

  push(name: string, args: Words): this {
    this.#commands.push([name, args])
    return this
  }

  exec(): Promise<[Error | null, unknown][]> {
    return this.#client.send(() =>
      this.#commands.map(([name, args]) => {
        const reply = this.#client.runNow(name, args)
        return reply instanceof Error ? [reply, undefined] : [null, reply]
      }),
    )
  }
}

/** Commands that production code calls by their own name. */
const simple =
  'ping time get mget set incr del unlink expire pexpire persist exists publish eval evalsha hset hsetnx hget hmget hgetall hdel hexists hlen hkeys hvals hincrby sadd srem smembers scard sismember zadd zrem zcard zscore zmscore zrange zrevrange zrangebyscore zrevrangebyscore zremrangebyscore rpush lrange llen xadd xread'.split(
    ' ',
  )

for (const name of simple) {
  Reflect.set(RedisClient.prototype, name, function (this: RedisClient, ...args: Words) {
    return this.command(name, args)
  })
  Reflect.set(Chain.prototype, name, function (this: Chain, ...args: Words) {
    return this.push(name, args)
  })
}

/** Arguments as ioredis flattens them. */
function flat(args: Words): string[] {
  return args.flatMap((arg): string[] => {
    if (Array.isArray(arg)) return flat(arg)
    if (arg !== null && typeof arg === 'object') return flat(Object.entries(arg).flat())
    return [String(arg)]
  })
}

/** Replies as ioredis shapes them. */
function shaped(name: string, reply: Reply): unknown {
  if (reply instanceof Status) return reply.text
  if (name.toUpperCase() !== 'HGETALL') return reply
  const items = reply as string[]
  return Object.fromEntries(Array.from({ length: items.length / 2 }, (_, i) => [items[2 * i]!, items[2 * i + 1]!]))
}
