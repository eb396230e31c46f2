const kept = 600
const least = 4
const factor = 4

/**
 * How a machine answers pings: counted in ticks of our own timer, so that a process that was itself frozen does not
 * blame the machine. It is silent when it has said nothing for four times as long as it ever took in its last 600
 * answers (four minutes), and for four ticks at least.
 */
export class Rhythm {
  readonly tickMs = 400
  readonly #taken: number[] = []

  heard(ticks: number): void {
    this.#taken.push(ticks)
    if (this.#taken.length > kept) this.#taken.shift()
  }

  /** Ticks. */
  get patience(): number {
    return Math.max(least, factor * Math.max(0, ...this.#taken))
  }
}
