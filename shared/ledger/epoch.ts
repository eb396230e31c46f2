import { readFileSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { toError } from '../runtime/errors.ts'
import type { RedisSettings } from '../runtime/redis.ts'
import type { FenceSource } from './fences.ts'
import { epochKey } from './keys.ts'

const beatMs = 1000
const lua = readFileSync(new URL('./lua/epoch.lua', import.meta.url), 'utf8')

/** As `lua/epoch.lua` answers. */
type Beat = [beat: number, epoch: number, lost: 0 | 1, floor: number]

/** The largest beat and the largest epoch that were ever seen. */
interface Seen {
  beat: number
  epoch: number
}

/** Keeps one line of text where Redis' losses do not reach it. */
export interface SeenMemory {
  /** `''` where nothing was written yet. */
  read(): Promise<string>
  write(text: string): Promise<void>
}

export function seenFile(path: string): SeenMemory {
  return {
    read: () => readFile(path, 'utf8').catch(() => ''),
    async write(text) {
      await writeFile(`${path}.${process.pid}`, text)
      await rename(`${path}.${process.pid}`, path)
    },
  }
}

/**
 * Watches for a Redis that came back older than it was: a beat that only grows is kept in Redis, in memory, and in a
 * file beside Redis' data (`memory`), so that a planner that was restarted meanwhile notices too. The file keeps the
 * largest epoch of any fence as well, for the day when Redis' clock is set back.
 *
 * No fence waits for the watch: the script that draws one leaps by itself where Redis is another process than before
 * (`lua/fence.lua`). The loss is made good by the ledger's own ways: work that is recorded as open is done again (steps
 * look first), machines that the ledger does not know are found by their owner when the deployment is planned next.
 */
export class EpochWatch {
  readonly #redis: Redis
  readonly #fences: readonly FenceSource[]
  readonly #memory: SeenMemory
  readonly #log: Logger
  readonly #key: string
  #seen: Seen = { beat: 0, epoch: 0 }
  #timer: NodeJS.Timeout | undefined
  #beating = false
  readonly #again = () => this.#tryBeat()

  /** @param parts.fences of every ledger of this process: they draw no fence below an epoch that was seen. */
  constructor(parts: {
    redis: Redis
    fences: readonly FenceSource[]
    settings: RedisSettings
    memory: SeenMemory
    log: Logger
  }) {
    this.#redis = parts.redis
    this.#fences = parts.fences
    this.#memory = parts.memory
    this.#log = parts.log
    this.#key = epochKey(parts.settings)
    parts.redis.defineCommand('ledger_epoch', { numberOfKeys: 1, lua })
  }

  /** Checks once, before anything else is done with this Redis, then goes on checking. */
  async start(): Promise<void> {
    this.#seen = seenIn(await this.#memory.read())
    await this.#beat()
    this.#timer = setInterval(this.#again, beatMs)
    this.#redis.on('ready', this.#again)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#redis.off('ready', this.#again)
  }

  #tryBeat(): void {
    if (this.#beating) return
    this.#beating = true
    this.#beat()
      .catch((error) => this.#log.debug({ err: toError(error) }, 'Redis cannot be checked now'))
      .finally(() => {
        this.#beating = false
      })
  }

  async #beat(): Promise<void> {
    this.#seen.epoch = Math.max(this.#seen.epoch, ...this.#fences.map(({ epoch }) => epoch))
    const [beat, epoch, lost, floor] = await beatOnce(this.#redis, this.#key, this.#seen)
    this.#seen = { beat: Math.max(this.#seen.beat, beat), epoch: Math.max(this.#seen.epoch, epoch) }
    for (const fences of this.#fences) {
      fences.sawEpoch(this.#seen.epoch)
      if (floor > 0) fences.rise(floor)
    }
    await this.#memory.write(`${this.#seen.beat} ${this.#seen.epoch}`)
    if (lost === 1) this.#log.error({ epoch }, 'this Redis has lost writes that it had acknowledged')
  }
}

/**
 * Tells the watch of planners of every epoch in which a worker draws a fence; a report that is lost is made
 * up for by the next one.
 */
export function tellEpochs(redis: Redis, settings: RedisSettings, fences: FenceSource): void {
  redis.defineCommand('ledger_epoch', { numberOfKeys: 1, lua })
  fences.onEpoch = (epoch) => {
    beatOnce(redis, epochKey(settings), { beat: 0, epoch }).catch(() => {})
  }
}

function beatOnce(redis: Redis, key: string, { beat, epoch }: Seen): Promise<Beat> {
  const script = redis as unknown as {
    ledger_epoch(key: string, beat: number, epoch: number): Promise<Beat>
  }
  return script.ledger_epoch(key, beat, epoch)
}

/** `<beat> <epoch>`; before epochs were kept, the beat alone. */
function seenIn(text: string): Seen {
  const [beat, epoch] = text.split(' ').map((word) => Number(word) || 0)
  return { beat: beat ?? 0, epoch: epoch ?? 0 }
}
