import { type Actor, readActor } from '../model/actor.ts'
import { Healing, type HealingMode } from '../model/healing.ts'
import { healingKey } from './keys.ts'
import { run } from './pipeline.ts'
import type { LedgerReader } from './reader.ts'
import type { scriptsOn } from './scripts.ts'

/** Which deployments are mended by themselves. */
export class Healings {
  readonly #ledger: LedgerReader
  readonly #scripts: ReturnType<typeof scriptsOn>
  readonly #channel: string

  constructor(ledger: LedgerReader, parts: { scripts: ReturnType<typeof scriptsOn>; channel: string }) {
    this.#ledger = ledger
    this.#scripts = parts.scripts
    this.#channel = parts.channel
  }

  /** Those that are. */
  deployments(): Promise<string[]> {
    return this.#ledger.redis.smembers(healingKey(this.#ledger.settings))
  }

  async of(deployment: string): Promise<Healing> {
    const base = this.#ledger.base(deployment)
    const [said, repairs] = await run<[Record<string, string>, string[]]>(
      this.#ledger.redis.pipeline().hgetall(`${base}:healing`).lrange(`${base}:repairs`, 0, -1),
    )
    return Healing.parse({
      mode: said.mode ?? 'off',
      by: said.by === undefined ? null : readActor(said.by),
      at: said.at === undefined ? null : Number(said.at),
      message: said.message ?? '',
      waits: JSON.parse(said.waits ?? 'null'),
      repairs: repairs.map((text) => JSON.parse(text)),
    })
  }

  /** Records what keeps a repair back, or that nothing does. */
  async note(deployment: string, waits: Healing['waits']): Promise<void> {
    const key = `${this.#ledger.base(deployment)}:healing`
    if (waits === null) await this.#ledger.redis.hdel(key, 'waits')
    else await this.#ledger.redis.hset(key, 'waits', JSON.stringify(waits))
  }

  /** A repair that is opened later is refused where the mode is `off`; one that is open goes on. */
  async set(deployment: string, mode: HealingMode, { by, message }: { by: Actor; message: string }): Promise<void> {
    const { redis, settings } = this.#ledger
    // Before the word counts: a deployment that is mended is never missing among them.
    if (mode !== 'off') await redis.sadd(healingKey(settings), deployment)
    await this.#scripts.healing(this.#ledger.base(deployment), this.#channel, mode, JSON.stringify(by), message)
    if (mode === 'off') await redis.srem(healingKey(settings), deployment)
  }
}
