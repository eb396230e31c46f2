import { statfs } from 'node:fs/promises'
import type { Logger } from 'pino'
import { toError } from './errors.ts'

const everyMs = 10_000
/** Free bytes below which a deploy, or Redis' next rewrite of its file, may not find room. */
const scarceBytes = 1024 * 2 ** 20

/** Free bytes for an ordinary user on the disk that holds `directory`. */
async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}

/** The sentence for a disk that is nearly full, or undefined. */
function scarcity(directory: string, free: number): string | undefined {
  if (free >= scarceBytes) return undefined
  return `the disk below ${directory} has ${Math.floor(free / 2 ** 20)} MiB left: when it is full, nothing is recorded any more`
}

/**
 * Looks every ten seconds whether the disk below `directory` is nearly full. The log says so when that begins and at
 * each halving of what is left; `warning` is the sentence of now.
 */
export class DiskWatch {
  readonly #directory: string
  readonly #log: Logger
  readonly #free: () => Promise<number>
  #timer: NodeJS.Timeout | undefined
  #saidAt = Number.POSITIVE_INFINITY
  warning: string | undefined

  constructor(directory: string, log: Logger, free = () => freeBytes(directory)) {
    this.#directory = directory
    this.#log = log
    this.#free = free
  }

  start(): void {
    const look = () => this.look().catch((error) => this.#log.debug({ err: toError(error) }, 'no word of the disk'))
    void look()
    this.#timer = setInterval(look, everyMs)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async look(): Promise<void> {
    const free = await this.#free()
    this.warning = scarcity(this.#directory, free)
    if (this.warning === undefined) this.#saidAt = Number.POSITIVE_INFINITY
    else if (free <= this.#saidAt / 2) {
      this.#saidAt = free
      this.#log.warn({ free }, this.warning)
    }
  }
}
