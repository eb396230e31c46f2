import type { Redis } from 'ioredis'
import type { RedisSettings } from '../runtime/redis.ts'

/** A package as far as it tells how long compiling takes. `os` is that of its stemcell, without the version. */
export interface Timed {
  name: string
  fingerprint: string
  os: string
}

/** How long a package took to compile the last time. */
export interface Duration {
  ms: number
  /** It was this very source, not another one of the same name. */
  sameSource: boolean
}

/** How long packages took to compile: those of `packages` that are known, in their order, else null. */
export interface Durations {
  find(packages: readonly Timed[]): Promise<(Duration | null)[]>
}

/** Maximum number of names (two a package). The least recently compiled go first. About 1 MiB of Redis. */
export const keptDurations = 10_000
/** How many fields one round trip asks for. */
const chunk = 1000

/**
 * The last duration of each package: of the same source, on whatever stemcell, or else of any source of
 * that name on the same OS. Written by `record.lua` together with the result, and kept when the compiled
 * package itself is cleaned up.
 */
export class RedisDurations implements Durations {
  readonly #redis: Redis
  readonly #key: string

  constructor(redis: Redis, settings: RedisSettings) {
    this.#redis = redis
    this.#key = durationKeys(settings)[0]
  }

  async find(packages: readonly Timed[]): Promise<(Duration | null)[]> {
    const found: (Duration | null)[] = []
    for (let at = 0; at < packages.length; at += chunk) {
      const part = packages.slice(at, at + chunk)
      const texts = await this.#redis.hmget(this.#key, ...part.flatMap(durationNames))
      for (let i = 0; i < texts.length; i += 2) {
        const text = texts[i] ?? texts[i + 1]
        found.push(text ? { ms: Number(text), sameSource: Boolean(texts[i]) } : null)
      }
    }
    return found
  }
}

/** What a duration is kept under, the exact one first. */
export function durationNames({ name, fingerprint, os }: Timed): [string, string] {
  return [`${name}/${fingerprint}`, `${name} ${os}`]
}

/** The hash of durations, and the sorted set that says how old they are. In one slot with the compiled index. */
export function durationKeys(settings: RedisSettings): [string, string] {
  const key = `${settings.prefix}:{compile}:durations`
  return [key, `${key}:written`]
}
