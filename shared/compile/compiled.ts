import type { Redis } from 'ioredis'
import type { RedisSettings } from '../redis.ts'

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
}

/** The compiled index in Redis: one hash. Written by `CompileRequests.record` only, under the claim's fence. */
export class RedisCompiledIndex implements CompiledIndex {
  readonly #redis: Redis
  readonly #key: string

  constructor(redis: Redis, settings: RedisSettings) {
    this.#redis = redis
    this.#key = compiledKey(settings)
  }

  async find(keys: readonly string[]): Promise<Map<string, CompiledPackage>> {
    if (keys.length === 0) return new Map()
    const texts = await this.#redis.hmget(this.#key, ...keys)
    return new Map(keys.flatMap((key, i) => (texts[i] ? [[key, JSON.parse(texts[i])]] : [])))
  }
}

/** One slot with the compile requests: recording a result touches both. */
export function compiledKey(settings: RedisSettings): string {
  return `${settings.prefix}:{compile}:compiled`
}
