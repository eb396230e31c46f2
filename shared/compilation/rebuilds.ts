import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { RedisSettings } from '../runtime/redis.ts'
import { CompileSpec } from './spec.ts'

/** One package that is compiled a second time, to see whether the same comes out. */
const Asked = z.object({
  spec: CompileSpec,
  /** What is kept of the first time. */
  digest: z.string(),
})
export type AskedRebuild = z.infer<typeof Asked>

/** How it went. Nothing of it changes what is in use. */
const Outcome = z.union([
  z.object({ digest: z.string(), durationMs: z.number() }),
  z.object({ code: z.string(), message: z.string(), log: z.string().optional() }),
])
export type RebuildOutcome = z.infer<typeof Outcome>

const keptSeconds = 24 * 3600

/** Checks of the compiled packages: what is to be compiled again, and what came out. Kept for a day. */
export class Rebuilds {
  readonly #redis: Redis
  readonly #prefix: string

  constructor(redis: Redis, settings: RedisSettings) {
    this.#redis = redis
    this.#prefix = `${settings.prefix}:{compile}:rebuild`
  }

  async create(check: string, asked: readonly AskedRebuild[]): Promise<void> {
    const key = this.#key(check)
    const fields = Object.fromEntries(asked.map((item, n) => [`asked:${n}`, JSON.stringify(item)]))
    await this.#redis.multi().hset(key, fields).expire(key, keptSeconds).exec()
  }

  /** Null where the check is forgotten, or has its outcome already. */
  async open(check: string, n: number): Promise<AskedRebuild | null> {
    const [asked, outcome] = await this.#redis.hmget(this.#key(check), `asked:${n}`, `outcome:${n}`)
    return asked && !outcome ? Asked.parse(JSON.parse(asked)) : null
  }

  /** The first report counts: a job may be done twice. */
  async report(check: string, n: number, outcome: RebuildOutcome): Promise<void> {
    await this.#redis.hsetnx(this.#key(check), `outcome:${n}`, JSON.stringify(outcome))
  }

  async read(check: string): Promise<{ asked: AskedRebuild; outcome: RebuildOutcome | null }[]> {
    const fields = await this.#redis.hgetall(this.#key(check))
    const numbers = Object.keys(fields).flatMap((field) => (field.startsWith('asked:') ? [Number(field.slice(6))] : []))
    return numbers
      .sort((a, b) => a - b)
      .map((n) => {
        const outcome = fields[`outcome:${n}`]
        return {
          asked: Asked.parse(JSON.parse(fields[`asked:${n}`] ?? 'null')),
          outcome: outcome === undefined ? null : Outcome.parse(JSON.parse(outcome)),
        }
      })
  }

  #key(check: string): string {
    return `${this.#prefix}:${check}`
  }
}
