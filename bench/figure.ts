/** One measured figure: a line of `npm run bench -- --json`. */
export interface Figure {
  bench: string
  case: string
  value: number
  unit: string
  /** What it should be at most (or at least, where `against` says so); null where nothing is promised. */
  target: number | null
  pass: boolean | null
  /** What it is measured against, in the same run where it is a ratio. */
  against: string
}

export const runs = 5

/** Middle of five runs after one that is not counted. */
export async function medianOf(measure: () => Promise<number>, count = runs): Promise<number> {
  await measure()
  const values: number[] = []
  for (let i = 0; i < count; i++) values.push(await measure())
  return median(values)
}

export function median(values: readonly number[]): number {
  return percentile(values, 50)
}

export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))] ?? Number.NaN
}

export function atMost(figure: Omit<Figure, 'pass' | 'target'>, target: number): Figure {
  return { ...figure, value: round(figure.value), target, pass: figure.value <= target }
}

export function atLeast(figure: Omit<Figure, 'pass' | 'target'>, target: number): Figure {
  return { ...figure, value: round(figure.value), target, pass: figure.value >= target }
}

export function noted(figure: Omit<Figure, 'pass' | 'target'>): Figure {
  return { ...figure, value: round(figure.value), target: null, pass: null }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
