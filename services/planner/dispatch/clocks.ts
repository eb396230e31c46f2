import type { Logger } from 'pino'
import type { Ledger } from '../../../shared/ledger/ledger.ts'

/** A difference that is no drift of two clocks between two sweeps, but a step of one. */
const stepMs = 1000
/** A deployment that was not swept for so long is read anew. */
const memoryMs = 3600_000

interface Reading {
  now: number
  askedAt: number
  answeredAt: number
}

/**
 * Keeps the clocks of deployments going when the clock of Redis is set, forward or back, by whatever it is: deadlines, delays
 * and the age of publications are measured by them. A reading is compared with the one before and with the monotonic clock of
 * this process; where Redis has stepped, the deployment's clock is shifted by as much. Several planners shift it once, because
 * each names the shift that it read.
 */
export class DeploymentClocks {
  readonly #ledger: Ledger
  readonly #log: Logger
  readonly #last = new Map<string, Reading>()

  constructor(ledger: Ledger, log: Logger) {
    this.#ledger = ledger
    this.#log = log
  }

  /** The deployment's time in milliseconds. */
  async now(deployment: string): Promise<number> {
    for (const [name, { answeredAt }] of this.#last)
      if (performance.now() - answeredAt > memoryMs) this.#last.delete(name)
    const last = this.#last.get(deployment)
    const { shift, opened, ...reading } = await this.#read(deployment)
    // At the first look nothing is known but that a plan was opened before.
    const steppedMs = last ? stepOf(last, reading) : Math.min(0, reading.now - opened)
    if (Math.abs(steppedMs) < stepMs) {
      this.#last.set(deployment, reading)
      return reading.now
    }
    if (await this.#ledger.shiftClock(deployment, shift, shift - Math.round(steppedMs)))
      this.#log.warn(
        { deployment, steppedMs: Math.round(steppedMs) },
        'the clock of Redis was set; deadlines move with it',
      )
    const again = await this.#read(deployment)
    this.#last.set(deployment, again)
    return again.now
  }

  async #read(deployment: string): Promise<Reading & { shift: number; opened: number }> {
    const askedAt = performance.now()
    const read = await this.#ledger.clock(deployment)
    return { ...read, askedAt, answeredAt: performance.now() }
  }
}

/** By how much the clock went further than time did: nothing as long as the way to Redis and back may explain it. */
function stepOf(last: Reading, next: Reading): number {
  const least = next.askedAt - last.answeredAt
  const most = next.answeredAt - last.askedAt
  const went = next.now - last.now
  if (went < least) return went - least
  return went > most ? went - most : 0
}
