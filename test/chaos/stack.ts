import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { findPlanner } from '../../shared/api/address.ts'
import { Client } from '../../shared/api/client.ts'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import { PlanHistory } from '../../shared/history/plan-history.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { LocalProvider } from '../../shared/provider/local/index.ts'
import type { RedisSettings } from '../../shared/runtime/redis.ts'
import { Clocks } from '../support/clock.ts'
import { freePort, startRedis, type TestRedis } from '../support/redis.ts'
import type { ServiceName } from '../support/services.ts'
import { FaultyProxy } from './proxy.ts'

export interface StackOptions {
  counts: Record<ServiceName, number>
  /** Milliseconds a slot stays empty after its process ended. */
  restartMs?: () => number
  /** Variables of the next process of a slot: armed failpoints. */
  env?: (slot: Slot) => Record<string, string>
  /** Told whenever a process of a slot ended, and why. */
  ended?: (slot: Slot, how: string) => void
}

/**
 * One place of a service: a process, the proxy through which it sees Redis, and the processes that come after it.
 *
 * starting -> up -> down -> starting ...; `held` keeps it down. A process that ends for any reason is followed by
 * another, as `remodel up` or an init system would do it.
 */
export class Slot {
  readonly name: string
  readonly service: ServiceName
  readonly proxy: FaultyProxy
  /** Of a planner: where it listens, the same for every process of the slot. */
  readonly url: string | null
  child: ChildProcess | null = null
  /** The id of the process in events and on the VMs it makes; null until it said so. */
  worker: string | null = null
  up = false
  stopped = false
  readonly lines: string[] = []

  constructor(name: string, service: ServiceName, proxy: FaultyProxy, url: string | null) {
    this.name = name
    this.service = service
    this.proxy = proxy
    this.url = url
  }

  signal(signal: NodeJS.Signals): void {
    if (this.child && this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal)
  }
}

/** Everything a chaos run is about: redis-server, services behind proxies, machines. */
export class ChaosStack {
  readonly home: string
  readonly redisDirectory: string
  readonly redis: TestRedis
  /** One for Redis, named `redis`, and one for each slot, under its name. */
  readonly clocks: Clocks
  readonly provider: LocalProvider
  readonly slots: Slot[] = []
  readonly #options: StackOptions
  readonly #logs = new Map<string, WriteStream>()
  #closing = false

  private constructor(
    home: string,
    { redisDirectory, redis, clocks }: Pick<ChaosStack, 'redisDirectory' | 'redis' | 'clocks'>,
    options: StackOptions,
  ) {
    this.home = home
    this.redisDirectory = redisDirectory
    this.redis = redis
    this.clocks = clocks
    this.provider = new LocalProvider({ directory: this.machines })
    this.#options = options
  }

  static async start(options: StackOptions): Promise<ChaosStack> {
    const home = await mkdtemp(join(tmpdir(), 'remodel-chaos-'))
    const redisDirectory = join(home, 'redis')
    await Promise.all(['redis', 'log', 'marks', 'once', 'clocks'].map((name) => mkdir(join(home, name))))
    const clocks = await Clocks.open(join(home, 'clocks'))
    const redis = await startRedis(['--dir', redisDirectory, '--aof-load-truncated', 'yes'], clocks.env('redis'))
    const stack = new ChaosStack(home, { redisDirectory, redis, clocks }, options)
    // Builds the agent once, instead of each service for itself at the same moment.
    await stack.provider.check()
    for (const [service, count] of Object.entries(options.counts)) {
      for (let n = 1; n <= count; n++) {
        const url = service === 'planner' ? `http://127.0.0.1:${await freePort()}` : null
        const proxy = await FaultyProxy.open(redis.port)
        stack.slots.push(new Slot(`${service}-${n}`, service as ServiceName, proxy, url))
      }
    }
    try {
      await Promise.all(stack.slots.map((slot) => stack.begin(slot)))
    } catch (error) {
      await stack.close()
      throw error
    }
    return stack
  }

  get machines(): string {
    return join(this.home, 'machines')
  }

  /** A client of each planner. */
  clients(): Client[] {
    return this.slots.flatMap((slot) =>
      slot.url === null ? [] : [new Client({ ...findPlanner(slot.url, this.home), redis: this.redis.url })],
    )
  }

  /** A ledger past the proxies that also reads plans which were moved to the blobstore. */
  async openLedger(redis: Redis, settings: RedisSettings): Promise<Ledger> {
    const blobs = await DiskBlobstore.open(join(this.home, 'blobs'))
    return new Ledger(redis, settings, { history: new PlanHistory(blobs) })
  }

  of(service: ServiceName): Slot[] {
    return this.slots.filter((slot) => slot.service === service)
  }

  /** Starts a process in an empty slot; settles when it is ready. Rejects where it ended before. */
  async begin(slot: Slot, more: Record<string, string> = {}): Promise<void> {
    const main = new URL(`../../services/${slot.service}/main.ts`, import.meta.url).pathname
    const child = spawn(process.execPath, [main], {
      env: {
        ...process.env,
        ...this.clocks.env(slot.name),
        REDIS_URL: `redis://127.0.0.1:${slot.proxy.port}`,
        REMODEL_HOME: this.home,
        // The oracles read the whole history.
        REMODEL_KEEP_PLANS: '100000',
        REMODEL_FAILPOINTS_REPORT: process.env.REMODEL_FAILPOINTS_REPORT ?? join(this.home, 'marks'),
        ...(slot.url ? { REMODEL_LISTEN: slot.url.replace('http://', '') } : {}),
        ...this.#options.env?.(slot),
        ...more,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    slot.child = child
    const log = this.#log(slot.name)
    const ready = Promise.withResolvers<void>()
    ready.promise.catch(() => {})
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        log.write(`${line}\n`)
        slot.lines.push(line)
        if (slot.lines.length > 500) slot.lines.shift()
        if (!line.includes('is ready')) return
        slot.worker = (JSON.parse(line) as { worker: string }).worker
        slot.up = true
        ready.resolve()
      })
    }
    child.on('exit', (code, signal) => {
      slot.up = false
      const how = String(signal ?? code)
      this.#options.ended?.(slot, how)
      ready.reject(new Error(`${slot.name} ended with ${how}:\n${slot.lines.slice(-20).join('\n')}`))
      if (!this.#closing && !slot.stopped) void this.#follow(slot)
    })
    await ready.promise
  }

  /** Ends the process of a slot in order, and leaves it empty. */
  async retire(slot: Slot, timeoutMs = 15_000): Promise<boolean> {
    slot.stopped = true
    const { child } = slot
    if (!child || child.exitCode !== null || child.signalCode !== null) return true
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    await gone
    clearTimeout(late)
    return child.exitCode === 0
  }

  /** Kills what runs, takes away every machine, disk and file. */
  async close(): Promise<void> {
    this.#closing = true
    for (const slot of this.slots) {
      slot.signal('SIGKILL')
      await slot.proxy.close()
    }
    for (const vm of await this.provider.listVms().catch(() => [])) await this.provider.deleteVm(vm.id, null)
    await this.redis.stop()
    for (const log of this.#logs.values()) log.end()
    await rm(this.home, { recursive: true, force: true })
  }

  async #follow(slot: Slot): Promise<void> {
    await sleep(this.#options.restartMs?.() ?? 100)
    if (this.#closing || slot.stopped) return
    // One that does not come up is followed by the next one: its exit calls us again.
    await this.begin(slot).catch(() => {})
  }

  #log(name: string): WriteStream {
    const known = this.#logs.get(name) ?? createWriteStream(join(this.home, 'log', `${name}.log`), { flags: 'a' })
    this.#logs.set(name, known)
    return known
  }
}
