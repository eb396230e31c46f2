import type { Redis } from 'ioredis'
import { z } from 'zod'
import { listen } from '../runtime/channel.ts'
import type { RedisSettings } from '../runtime/redis.ts'
import { CompileSpec } from './spec.ts'

/** The kind of VM that a package is compiled on. */
export const CompileVmSpec = CompileSpec.pick({ stemcell: true, resources: true, network: true, orphan: true })
export type CompileVmSpec = z.infer<typeof CompileVmSpec>

const Hint = z.object({ wish: CompileVmSpec, tokens: z.string() })

/** A hint is of no use any more when the packages themselves have arrived. */
const hintSeconds = 10

/**
 * Hints from planners to compilers: how many VMs of a kind will be wanted soon. Compilers share them out by taking
 * tokens, one for each VM. A hint that gets lost costs a little time, nothing else.
 */
export class PrewarmHints {
  readonly #redis: Redis
  readonly #prefix: string

  constructor(redis: Redis, settings: RedisSettings) {
    this.#redis = redis
    this.#prefix = `${settings.prefix}:{compile}:warm`
  }

  /** `id` tells hints apart: a plan's. */
  async ask(id: string, wishes: readonly { wish: CompileVmSpec; count: number }[]): Promise<void> {
    const all = this.#redis.multi()
    for (const [n, { wish, count }] of wishes.entries()) {
      const tokens = `${this.#prefix}:${id}:${n}`
      all.del(tokens)
      all.rpush(tokens, ...Array.from({ length: count }, () => '1')).expire(tokens, hintSeconds)
      all.publish(this.#prefix, JSON.stringify({ wish, tokens }))
    }
    await all.exec()
  }

  /** Hears of hints on `subscriber`. `next` answers true as long as there is another VM to be made. */
  async listen(subscriber: Redis, hear: (wish: CompileVmSpec, next: () => Promise<boolean>) => void): Promise<void> {
    await listen(subscriber, this.#prefix, Hint, ({ wish, tokens }) =>
      hear(wish, async () => (await this.#redis.lpop(tokens)) !== null),
    )
  }
}
