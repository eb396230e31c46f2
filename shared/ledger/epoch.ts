import { readFileSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { toError } from '../errors.ts'
import type { RedisSettings } from '../redis.ts'
import { epochKey } from './keys.ts'
import type { Ledger } from './ledger.ts'

const beatMs = 1000

/**
 * Watches for a Redis that came back older than it was: a beat that only grows is kept in Redis, in memory, and in a file
 * beside Redis' data (`file`), so that a planner that was restarted meanwhile notices too.
 *
 * A lost beat begins a new epoch: fences of all deployments continue above everything that was ever handed out, so that
 * machines that have seen higher ones do not refuse the work that has to be done again. What was lost is made good by
 * the ledger's own ways: work that is recorded as open is done again (steps look first), machines that nobody recorded
 * are found by their owner when the deployment is planned next.
 */
export class EpochWatch {
  readonly #redis: Redis
  readonly #ledger: Ledger
  readonly #file: string
  readonly #log: Logger
  readonly #key: string
  #seen = 0
  #timer: NodeJS.Timeout | undefined

  constructor(parts: {
    redis: Redis
    ledger: Ledger
    settings: RedisSettings
    file: string
    log: Logger
  }) {
    this.#redis = parts.redis
    this.#ledger = parts.ledger
    this.#file = parts.file
    this.#log = parts.log
    this.#key = epochKey(parts.settings)
    const lua = readFileSync(new URL('./lua/epoch.lua', import.meta.url), 'utf8')
    parts.redis.defineCommand('ledger_epoch', { numberOfKeys: 1, lua })
  }

  /** Checks once, before anything else is done with this Redis, then goes on checking. */
  async start(): Promise<void> {
    this.#seen = Number(await readFile(this.#file, 'utf8').catch(() => '0')) || 0
    await this.#beat()
    this.#timer = setInterval(() => {
      this.#beat().catch((error) => this.#log.debug({ err: toError(error) }, 'Redis cannot be checked now'))
    }, beatMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #beat(): Promise<void> {
    const script = this.#redis as unknown as {
      ledger_epoch(key: string, seen: number): Promise<[number, number, number]>
    }
    const [beat, epoch, lost] = await script.ledger_epoch(this.#key, this.#seen)
    this.#seen = Math.max(this.#seen, beat)
    await writeFile(`${this.#file}.${process.pid}`, String(this.#seen))
    await rename(`${this.#file}.${process.pid}`, this.#file)
    if (lost === 0) return
    this.#log.error({ epoch }, 'this Redis has lost writes that it had acknowledged; a new epoch begins')
    for (const deployment of await this.#ledger.active()) {
      await this.#redis.hset(`${this.#ledger.base(deployment)}:meta`, 'epoch', epoch)
    }
  }
}
