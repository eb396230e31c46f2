import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
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
  /** Takes out an entry whose bytes are gone or broken; one with another digest that stands there meanwhile stays. */
  drop(item: CompiledPackage): Promise<void>
}

const scripts = { find: 2, drop: 2, condemn: 2, forget: 2 } as const
type Script = (...keysAndArgv: string[]) => Promise<unknown>
/** Lua's `unpack` has an end to what it can carry. */
const chunk = 1000

/**
 * The compiled index in Redis: one hash. A compiler writes it through `CompileRequests.record`, under its claim's
 * fence; what comes compiled with a release is learnt here. Either way the first one to write a key wins.
 *
 * Forgetting takes two steps, so that no plan is left without its packages: `condemn`, then `forget` once all planners
 * that had looked before are done. A look-up that finds a key in between saves it.
 */
export class RedisCompiledIndex implements CompiledIndex {
  readonly #redis: Redis
  readonly #key: string
  readonly #scripts: Record<keyof typeof scripts, Script>

  constructor(redis: Redis, settings: RedisSettings) {
    this.#redis = redis
    this.#key = compiledKey(settings)
    this.#scripts = {} as Record<keyof typeof scripts, Script>
    for (const [name, numberOfKeys] of Object.entries(scripts)) {
      const lua = readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8')
      redis.defineCommand(`compiled_${name}`, { numberOfKeys, lua })
      this.#scripts[name as keyof typeof scripts] = (...args) =>
        (redis as unknown as Record<string, Script>)[`compiled_${name}`]!(this.#key, `${this.#key}:condemned`, ...args)
    }
  }

  async find(keys: readonly string[]): Promise<Map<string, CompiledPackage>> {
    const found = new Map<string, CompiledPackage>()
    for (let at = 0; at < keys.length; at += chunk) {
      const part = keys.slice(at, at + chunk)
      const texts = (await this.#scripts.find(...part)) as (string | null)[]
      for (const [i, key] of part.entries()) if (texts[i]) found.set(key, JSON.parse(texts[i]))
    }
    return found
  }

  async drop({ key, digest }: CompiledPackage): Promise<void> {
    await this.#scripts.drop(key, digest)
  }

  /** Which of `keys` are compiled, for a caller that only wants to know: condemned ones stay condemned. */
  async known(keys: readonly string[]): Promise<Set<string>> {
    const known = new Set<string>()
    for (let at = 0; at < keys.length; at += chunk) {
      const part = keys.slice(at, at + chunk)
      const texts = await this.#redis.hmget(this.#key, ...part)
      for (const [i, key] of part.entries()) if (texts[i]) known.add(key)
    }
    return known
  }

  /** Everything that is compiled, without a claim to it. */
  async all(): Promise<CompiledPackage[]> {
    return Object.values(await this.#redis.hgetall(this.#key)).map((text) => JSON.parse(text))
  }

  /** Adds what is not known yet: packages that came compiled. */
  async learn(compiled: readonly CompiledPackage[]): Promise<void> {
    const pipeline = this.#redis.pipeline()
    for (const item of compiled) pipeline.hsetnx(this.#key, item.key, JSON.stringify(item))
    for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error
  }

  async condemn(keys: readonly string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += chunk) await this.#scripts.condemn(...keys.slice(at, at + chunk))
  }

  /** Forgets those of `keys` that no look-up found since they were condemned; answers which. */
  async forget(keys: readonly string[]): Promise<string[]> {
    const forgotten: string[] = []
    for (let at = 0; at < keys.length; at += chunk) {
      forgotten.push(...((await this.#scripts.forget(...keys.slice(at, at + chunk))) as string[]))
    }
    return forgotten
  }
}

/** One slot with the compile requests: recording a result touches both. */
export function compiledKey(settings: RedisSettings): string {
  return `${settings.prefix}:{compile}:compiled`
}
