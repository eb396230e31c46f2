/** The last line of a chaos run. Every figure below `healSecondsP95` is there to read, not to pass or fail by. */
export interface Report {
  /** Wishes of users: deploys, changes, removals. */
  deploys: number
  faults: number
  converged: number
  duplicateEffects: number
  leakedVms: number
  lostEvents: number
  healSecondsP95: number
  seed: number
  faultsByKind: Record<string, number>
  /** Seconds from a fault to the next progress of what it hit. */
  healSeconds: Record<string, { n: number; p50: number; p95: number; max: number }>
  /** Plans that were applied; more than `deploys` where a plan failed or the floorplan moved. */
  plans: number
  /** Events that a truncated AOF took back: acknowledged, and gone by the fault itself. */
  rolledBackEvents: number
  failpointsKilled: Record<string, number>
  /** Everything an oracle found, as sentences. */
  violations: string[]
}

export function percentile(values: readonly number[], p: number): number {
  if (values.length === 0) return 0
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1)]!
}

export function healTable(samples: readonly { kind: string; ms: number }[]): Report['healSeconds'] {
  const byKind = [...Map.groupBy(samples, (sample) => sample.kind)].sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(
    byKind.map(([kind, all]) => {
      const ms = all.map((sample) => sample.ms)
      const seconds = (p: number) => Math.round(percentile(ms, p)) / 1000
      return [kind, { n: ms.length, p50: seconds(50), p95: seconds(95), max: seconds(100) }]
    }),
  )
}

/** True where no oracle found anything. */
export function passed(report: Report): boolean {
  return report.violations.length === 0 && report.converged === report.deploys
}
