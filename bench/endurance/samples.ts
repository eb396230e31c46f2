import { median } from '../figure.ts'
import { type Held, heldBy } from '../process.ts'

/** Series of what processes hold, by name of the process. */
export class Samples {
  readonly #began = performance.now()
  readonly #series = new Map<string, (Held & { minute: number })[]>()

  /** Minutes since the beginning. */
  minute(): number {
    return (performance.now() - this.#began) / 60_000
  }

  async take(name: string, pid: number): Promise<void> {
    const series = this.#series.get(name) ?? []
    this.#series.set(name, series)
    series.push({ minute: this.minute(), ...(await heldBy(pid)) })
  }

  /** Growth of memory in MB a minute between two minutes: the slope of the line with the least squares. */
  slope(name: string, from: number, to: number): number {
    const points = this.#between(name, from, to).map(({ minute, rssMb }) => [minute, rssMb] as const)
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
    const [x, y] = [mean(points.map((point) => point[0])), mean(points.map((point) => point[1]))]
    const spread = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
    return points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / spread
  }

  /** Memory in MB in the middle of what was seen between two minutes. */
  middle(name: string, from: number, to: number): number {
    return median(this.#between(name, from, to).map(({ rssMb }) => rssMb))
  }

  #between(name: string, from: number, to: number): { minute: number; rssMb: number }[] {
    return (this.#series.get(name) ?? []).filter(({ minute }) => minute >= from && minute <= to)
  }
}
