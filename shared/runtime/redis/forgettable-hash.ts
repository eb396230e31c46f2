import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

const read = (name: string) => readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8')
const scripts = { find: read('find'), condemn: read('condemn'), forget: read('forget') }
/** Lua's `unpack` has an end to what it can carry. */
const chunk = 1000

/**
 * A hash in Redis whose fields are forgotten in two steps, so that no process is left without what it has just found
 * or written: `condemn`, then `forget` once all processes that had looked before are done. A process that finds a field
 * in between saves it. One that writes a field takes it out of `condemnedKey` in the same step.
 */
export class ForgettableHash {
  readonly key: string
  readonly condemnedKey: string
  readonly #redis: Redis
  readonly #beside: readonly string[]

  /** `beside`: hashes with more about the same fields, which is forgotten with them. */
  constructor(redis: Redis, key: string, beside: readonly string[] = []) {
    this.key = key
    this.condemnedKey = `${key}:condemned`
    this.#redis = redis
    this.#beside = beside
  }

  /** What the hash has for each field, for a caller that is about to rely on it. */
  async find(fields: readonly string[]): Promise<Map<string, string>> {
    const found = new Map<string, string>()
    for (const part of parts(fields)) {
      const texts = (await this.#run('find', part)) as (string | null)[]
      for (const [i, field] of part.entries()) if (texts[i]) found.set(field, texts[i])
    }
    return found
  }

  async condemn(fields: readonly string[]): Promise<void> {
    for (const part of parts(fields)) await this.#run('condemn', part)
  }

  /** Forgets those of `fields` that no process found or wrote since they were condemned; answers which. */
  async forget(fields: readonly string[]): Promise<string[]> {
    const forgotten: string[] = []
    for (const part of parts(fields)) forgotten.push(...((await this.#run('forget', part)) as string[]))
    return forgotten
  }

  #run(name: keyof typeof scripts, fields: readonly string[]): Promise<unknown> {
    const keys = [this.key, this.condemnedKey, ...(name === 'forget' ? this.#beside : [])]
    return this.#redis.eval(scripts[name], keys.length, ...keys, ...fields)
  }
}

function parts(fields: readonly string[]): string[][] {
  const count = Math.ceil(fields.length / chunk)
  return Array.from({ length: count }, (_, i) => fields.slice(i * chunk, (i + 1) * chunk))
}
