import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { ForgettableHash } from '../runtime/redis/forgettable-hash.ts'
import type { RedisSettings } from '../runtime/redis.ts'

/** A package that was compiled: where its bytes are and what it cost. */
export interface CompiledPackage {
  key: string
  /** Blob of the compiled package: a tar.gz of its install directory. */
  digest: string
  size: number
  durationMs: number
  /** Milliseconds since the epoch. */
  compiledAt: number
}

/** Package key -> compiled package, for all deployments and releases. */
export interface CompiledIndex {
  find(keys: readonly string[]): Promise<Map<string, CompiledPackage>>
  /** Takes out an entry whose bytes are gone or broken; an entry with another digest, recorded meanwhile, stays. */
  drop(item: CompiledPackage): Promise<void>
}

/** Fields that are asked for at once. */
const chunk = 1000
const dropScript = readFileSync(new URL('./lua/drop.lua', import.meta.url), 'utf8')

/**
 * The compiled index in Redis: one hash. A compiler writes it through `CompileRequests.record`, under its claim's
 * fence; what comes compiled with a release is learnt here. Either way the first one to write a key wins.
 */
export class RedisCompiledIndex implements CompiledIndex {
  readonly #redis: Redis
  readonly #index: ForgettableHash

  constructor(redis: Redis, settings: RedisSettings) {
    this.#redis = redis
    this.#index = new ForgettableHash(redis, compiledKey(settings))
  }

  async find(keys: readonly string[]): Promise<Map<string, CompiledPackage>> {
    const found = await this.#index.find(keys)
    return new Map([...found].map(([key, text]) => [key, JSON.parse(text)]))
  }

  async drop({ key, digest }: CompiledPackage): Promise<void> {
    await this.#redis.eval(dropScript, 2, this.#index.key, this.#index.condemnedKey, key, digest)
  }

  /** Which of `keys` are compiled, for a caller that only wants to know: condemned ones stay condemned. */
  async known(keys: readonly string[]): Promise<Set<string>> {
    const known = new Set<string>()
    for (let at = 0; at < keys.length; at += chunk) {
      const part = keys.slice(at, at + chunk)
      const texts = await this.#redis.hmget(this.#index.key, ...part)
      for (const [i, key] of part.entries()) if (texts[i]) known.add(key)
    }
    return known
  }

  /** Everything that is compiled, without a claim to it. */
  async all(): Promise<CompiledPackage[]> {
    return Object.values(await this.#redis.hgetall(this.#index.key)).map((text) => JSON.parse(text))
  }

  /** Adds what is not known yet, packages that came compiled; what is known is condemned no more. */
  async learn(compiled: readonly CompiledPackage[]): Promise<void> {
    if (compiled.length === 0) return
    const transaction = this.#redis.multi()
    for (const item of compiled) transaction.hsetnx(this.#index.key, item.key, JSON.stringify(item))
    transaction.hdel(this.#index.condemnedKey, ...compiled.map(({ key }) => key))
    for (const [error] of (await transaction.exec()) ?? []) if (error) throw error
  }

  condemn(keys: readonly string[]): Promise<void> {
    return this.#index.condemn(keys)
  }

  /** Forgets those of `keys` that no look-up found since they were condemned; answers which. */
  forget(keys: readonly string[]): Promise<string[]> {
    return this.#index.forget(keys)
  }
}

/** One slot with the compile requests: recording a result touches both. */
export function compiledKey(settings: RedisSettings): string {
  return `${settings.prefix}:{compile}:compiled`
}
