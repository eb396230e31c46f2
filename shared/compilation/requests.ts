import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import type { RedisSettings } from '../runtime/redis.ts'
import { type CompiledPackage, compiledKey } from './compiled.ts'
import { durationKeys, durationNames, keptDurations } from './durations.ts'
import { CompileSpec } from './spec.ts'

/** The remodel that waits for a package: told when it is there, or why it is not. */
export interface Subscriber {
  deployment: string
  plan: string
  remodel: string
}

const scripts = { join: 3, record: 4, settle: 3 } as const
type Script = (...keysAndArgv: (string | number)[]) => Promise<string | number>

/**
 * Compile requests: one for each package key that a plan needs, for all deployments and releases, so that equal content
 * is compiled once. No plan waits on a lock: one that needs a key that is being compiled subscribes to it.
 */
export class CompileRequests {
  readonly #redis: Redis
  readonly #settings: RedisSettings
  readonly #scripts: Record<keyof typeof scripts, Script>

  constructor(redis: Redis, settings: RedisSettings) {
    this.#redis = redis
    this.#settings = settings
    this.#scripts = {} as Record<keyof typeof scripts, Script>
    for (const [name, numberOfKeys] of Object.entries(scripts)) {
      const lua = readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8')
      redis.defineCommand(`compile_${name}`, { numberOfKeys, lua })
      this.#scripts[name as keyof typeof scripts] = (...args) =>
        (redis as unknown as Record<string, Script>)[`compile_${name}`]!(...args)
    }
  }

  /**
   * Asks for a key. `n` numbers the job that carries it: the same while it is queued or running. `turn` is its place on
   * the queue, the smallest first: deployments take turns, and of one deployment the larger weight goes first.
   */
  async join(
    spec: CompileSpec,
    subscriber: Subscriber,
    weight = 0,
  ): Promise<{ status: 'queued' | 'joined'; n: number; by: Subscriber; turn: number }> {
    const answer = await this.#scripts.join(
      this.#key(spec.key),
      this.#subscribersKey(spec.key),
      this.#turnsKey,
      text(subscriber),
      JSON.stringify(spec),
      subscriber.deployment,
      weight,
    )
    const { status, n, by, turn } = JSON.parse(String(answer))
    return { status, n, by: JSON.parse(by), turn }
  }

  /** The number of the job that carries a key for this subscriber; null where it does not ask for it. */
  async numberFor(key: string, subscriber: Subscriber): Promise<number | null> {
    const [[state, n], asks] = await Promise.all([
      this.#redis.hmget(this.#key(key), 'state', 'n'),
      this.#redis.hexists(this.#subscribersKey(key), text(subscriber)),
    ])
    return state && n && asks === 1 ? Number(n) : null
  }

  /** The request for a key: its spec, all subscribers, and the first of them; null where there is none. */
  async read(key: string): Promise<{ spec: CompileSpec; subscribers: Subscriber[]; by?: Subscriber } | null> {
    const [spec, by] = await this.#redis.hmget(this.#key(key), 'spec', 'by')
    if (spec == null) return null
    const subscribers = Object.keys(await this.#redis.hgetall(this.#subscribersKey(key))).map((name) =>
      JSON.parse(name),
    )
    return {
      spec: CompileSpec.parse(JSON.parse(spec)),
      subscribers,
      ...(by == null ? {} : { by: JSON.parse(by) }),
    }
  }

  /** The plans for which keys are compiled or wait to be; keys without a request are left out. */
  async asked(keys: readonly string[]): Promise<Map<string, Subscriber>> {
    const pipeline = this.#redis.pipeline()
    for (const key of keys) pipeline.hmget(this.#key(key), 'state', 'by')
    const found = new Map<string, Subscriber>()
    for (const [i, [error, fields]] of ((await pipeline.exec()) ?? []).entries()) {
      if (error) throw error
      const [state, by] = fields as (string | null)[]
      if (state && by) found.set(keys[i]!, JSON.parse(by))
    }
    return found
  }

  /** Records a result, and how long it took, under the fence of the claim on `claimKey(spec.key)`. */
  async record(
    compiled: CompiledPackage,
    claim: { token: string; fence: number },
    spec: CompileSpec,
  ): Promise<'recorded' | 'present' | 'superseded'> {
    const fenceKey = `${this.claimKey(compiled.key)}:fence`
    const answer = await this.#scripts.record(
      compiledKey(this.#settings),
      fenceKey,
      ...durationKeys(this.#settings),
      compiled.key,
      JSON.stringify(compiled),
      `${claim.token} ${claim.fence}`,
      compiled.durationMs,
      keptDurations,
      ...durationNames({ ...spec, os: spec.stemcell.os }),
    )
    return answer as 'recorded' | 'present' | 'superseded'
  }

  /**
   * Puts a recorded result if absent: a Redis that came back older may have forgotten it, and the claim
   * that it was made under.
   */
  async recordAgain(compiled: CompiledPackage): Promise<void> {
    await this.#redis.hsetnx(compiledKey(this.#settings), compiled.key, JSON.stringify(compiled))
  }

  /** Takes subscribers that got the outcome off a key; returns how many are left. */
  async settle(key: string, told: readonly Subscriber[]): Promise<number> {
    return Number(
      await this.#scripts.settle(this.#key(key), this.#subscribersKey(key), this.#turnsKey, ...told.map(text)),
    )
  }

  /** The resource a compiler claims before it compiles a key. */
  claimKey(key: string): string {
    return `${this.#key(key)}:claim`
  }

  get #turnsKey(): string {
    return `${this.#settings.prefix}:{compile}:turns`
  }

  #key(key: string): string {
    return `${this.#settings.prefix}:{compile}:request:${key}`
  }

  #subscribersKey(key: string): string {
    return `${this.#key(key)}:subscribers`
  }
}

function text({ deployment, plan, remodel }: Subscriber): string {
  return JSON.stringify({ deployment, plan, remodel })
}
