import { createHash } from 'node:crypto'
import type { Call, LuaMachine } from './lua.ts'
import { RedisModel, type Reply, ReplyError, removing, writing } from './model.ts'

/** Gets what is published on the channels it subscribed to. */
export interface Subscriber {
  channels: Set<string>
  receive(channel: string, text: string): void
}

/**
 * The server around the data: scripts by digest, publish and subscribe, and its own faults (away, out of memory).
 * `executed` is called after every command or script, when the data is whole again.
 */
export class RedisServer {
  readonly model: RedisModel
  readonly subscribers = new Set<Subscriber>()
  /** Another one whenever the process is another one: started again, restored, promoted. */
  runId = 'run0'
  /** A control run: it is always the same one. */
  blind = false
  /** Simulated time until which no command is carried out. */
  awayUntil = 0
  /** Simulated time until which writes are answered with OOM. */
  fullUntil = 0
  executed: (what: string) => void = () => {}
  readonly #lua: LuaMachine
  readonly #scripts = new Map<string, string>()
  readonly #known = new Set<string>()
  /** By how much its clock was set forward, or back. */
  stepMs = 0
  readonly #now: () => number
  #lives = 0

  constructor(lua: LuaMachine, now: () => number) {
    this.#lua = lua
    this.#now = now
    this.model = new RedisModel(() => now() + this.stepMs)
  }

  /** Carries out one command, scripts included. */
  run(name: string, args: readonly string[]): Reply {
    const reply = this.#run(name.toUpperCase(), args)
    this.executed(name)
    return reply
  }

  /** What a restart changes though all data is kept: scripts are forgotten, and it is another process. */
  restart(): void {
    if (!this.blind) this.runId = `run${++this.#lives}`
    this.#scripts.clear()
    this.#known.clear()
  }

  #run(name: string, args: readonly string[]): Reply {
    if (name === 'EVAL' || name === 'EVALSHA') return this.#eval(name, args)
    if (name === 'PUBLISH') return this.#publish(args[0]!, args[1]!)
    if (name === 'INFO') return this.#info()
    if (writing.has(name) && this.#now() < this.fullUntil) return outOfMemory()
    return this.model.run(name, args)
  }

  #eval(name: string, [script, count, ...rest]: readonly string[]): Reply {
    const source = name === 'EVAL' ? script! : this.#scripts.get(script!)
    if (source === undefined) return new ReplyError('NOSCRIPT No matching script. Please use EVAL.')
    if (name === 'EVAL') this.#remember(source)
    const keys = rest.slice(0, Number(count))
    // Redis refuses a script's first write where it is full; once one was made, the rest follows: nothing is half done.
    const full = this.#now() < this.fullUntil
    let wrote = false
    const call: Call = (inner, args) => {
      const command = inner.toUpperCase()
      if (command === 'PUBLISH') return this.#publish(args[0]!, args[1]!)
      if (command === 'INFO') return this.#info()
      if (full && !wrote && writing.has(command)) return outOfMemory()
      wrote ||= writing.has(command) || removing.has(command)
      return this.model.run(command, args)
    }
    return this.#lua.run(source, keys, rest.slice(Number(count)), call)
  }

  #remember(source: string): void {
    if (this.#known.has(source)) return
    this.#known.add(source)
    this.#scripts.set(createHash('sha1').update(source).digest('hex'), source)
  }

  #info(): Reply {
    return `# Server\r\nredis_mode:standalone\r\nrun_id:${this.runId}\r\n`
  }

  #publish(channel: string, text: string): number {
    let count = 0
    for (const subscriber of this.subscribers) {
      if (!subscriber.channels.has(channel)) continue
      count += 1
      subscriber.receive(channel, text)
    }
    return count
  }
}

function outOfMemory(): ReplyError {
  return new ReplyError("OOM command not allowed when used memory > 'maxmemory'.")
}
