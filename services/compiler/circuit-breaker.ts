import type { Logger } from 'pino'

/** This many faults in a row are no accident. */
const inARow = 3
const firstRestMs = 2000
const longestRestMs = 60_000

/**
 * Watches whether VMs can be relied on where this compiler makes them. Every fault of a VM (it cannot be made, it was
 * lost, its disk is full) costs that VM: it is never handed on. After three in a row, with no package between them that
 * ended by its own doing, the fault lies with the whole machine or cloud (a full disk, no room): this compiler says so
 * and rests, so that others take the work and attempts are not used up here. Every further fault after a rest makes the
 * next one twice as long.
 */
export class CircuitBreaker {
  readonly #log: Logger
  readonly #rest: (ms: number) => void
  #faults = 0
  #rests = 0
  /** Of `performance.now()`. */
  #restsUntil = 0

  /** @param rest takes no new packages for this many milliseconds. */
  constructor(log: Logger, rest: (ms: number) => void) {
    this.#log = log
    this.#rest = rest
  }

  /** A package ended by its own doing, well or badly. */
  recordSuccess(): void {
    this.#faults = 0
    this.#rests = 0
  }

  recordFailure(error: Error): void {
    this.#faults += 1
    // An attempt that was begun before the rest says nothing new.
    if (this.#faults < inARow || performance.now() < this.#restsUntil) return
    const ms = Math.min(firstRestMs * 2 ** this.#rests, longestRestMs)
    this.#rests += 1
    this.#restsUntil = performance.now() + ms
    this.#log.error(
      { err: error, faults: this.#faults, restMs: ms },
      `compile VMs failed ${this.#faults} times in a row here: this compiler takes no packages for ${ms / 1000} s`,
    )
    this.#rest(ms)
  }
}
