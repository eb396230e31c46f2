import type { Logger } from 'pino'
import type { Ledger } from '../../../shared/ledger/ledger.ts'

/** A difference that is no drift of two clocks between two sweeps, but a step of one. */
const stepMs = 1000
/** A deployment that was not swept for this long is read again. */
const memoryMs = 3600_000

interface Reading {
  now: number
  shift: number
  askedAt: number
  answeredAt: number
}

/**
 * Keeps the clocks of deployments going when the clock of Redis is set, forward or back, by whatever it is: deadlines,
 * delays and the age of publications are measured by them. A reading is compared with the one before and with the
 * monotonic clock of this process; where Redis has stepped, the deployment's clock is shifted by as much. Several
 * planners shift it once, because each names the shift that it read.
 *
 * A planner that looked first between the step and the shift has the time of a wrong clock, so one that sees another's
 * shift goes by it. Only the planner that shifted puts that back where a Redis which came back older has forgotten it,
 * and only once: two that disagree come to an end.
 */
export class DeploymentClocks {
  readonly #ledger: Ledger
  readonly #log: Logger
  readonly #last = new Map<string, Reading>()
  /** The shift that this planner made last, as long as no other is known. */
  readonly #own = new Map<string, number>()

  constructor(ledger: Ledger, log: Logger) {
    this.#ledger = ledger
    this.#log = log
  }

  /** The deployment's time in milliseconds. */
  async now(deployment: string): Promise<number> {
    for (const [name, { answeredAt }] of this.#last) if (performance.now() - answeredAt > memoryMs) this.#forget(name)
    const last = this.#last.get(deployment)
    const { opened, ...reading } = await this.#read(deployment)
    // At the first look nothing is known but that a plan was opened before.
    const steppedMs = last ? stepOf(last, reading) : Math.min(0, reading.now - opened)
    const isShifted = last !== undefined && reading.shift !== last.shift
    const isByAnother = isShifted && this.#own.get(deployment) !== last.shift
    if (Math.abs(steppedMs) < stepMs || isByAnother) return this.#goBy(deployment, reading)
    const shift = reading.shift - Math.round(steppedMs)
    if (await this.#ledger.shiftClock(deployment, reading.shift, shift)) {
      if (isShifted) this.#own.delete(deployment)
      else this.#own.set(deployment, shift)
      this.#log.warn(
        { deployment, steppedMs: Math.round(steppedMs) },
        'the clock of Redis was set; deadlines move with it',
      )
    }
    const { opened: _, ...again } = await this.#read(deployment)
    return this.#goBy(deployment, again)
  }

  #goBy(deployment: string, reading: Reading): number {
    if (this.#own.get(deployment) !== reading.shift) this.#own.delete(deployment)
    this.#last.set(deployment, reading)
    return reading.now
  }

  #forget(deployment: string): void {
    this.#last.delete(deployment)
    this.#own.delete(deployment)
  }

  async #read(deployment: string): Promise<Reading & { opened: number }> {
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
