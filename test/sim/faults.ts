import type { Random } from './random.ts'

/** Something that goes wrong, fully said: the list of them and the seed are a run. */
export type Fault = { when: { atMs: number } | { failpoint: string; nth: number } } & (
  | { kind: 'crash'; process?: string; downMs: number }
  | { kind: 'pause'; process?: string; ms: number }
  | { kind: 'cut'; process?: string; ms: number }
  | { kind: 'slow'; ms: number; latencyMs: number }
  | { kind: 'away'; ms: number }
  | { kind: 'full'; ms: number }
  | { kind: 'deaf'; ms: number }
  | { kind: 'flush' }
  | { kind: 'duplicate' }
  | { kind: 'lost-locks' }
  | { kind: 'clock'; stepMs: number }
  /** Redis comes back as it was that long ago. */
  | { kind: 'rollback'; backMs: number; returnMs?: number }
  /** Redis comes back without its last writes: what a replica has that is promoted. */
  | { kind: 'loss'; writes: number; returnMs: number }
)
type FaultKind = Exclude<Fault['kind'], 'rollback' | 'loss'>

const usualKinds: FaultKind[] = [
  'crash',
  'pause',
  'cut',
  'slow',
  'away',
  'full',
  'deaf',
  'flush',
  'duplicate',
  'lost-locks',
  'clock',
]

/** Durable boundaries that a run may stop at; kept whole by `sim.test.ts`. */
export const failpoints = [
  'assembler.applied',
  'assembler.claimed',
  'assembler.not-mine',
  'assembler.reported',
  'assembler.waits',
  'compiler.blob-put',
  'compiler.claimed',
  'compiler.compiled',
  'compiler.recorded',
  'compiler.told',
  'compiler.unpacked',
  'compiler.vm-made',
  'dispatch.announced',
  'dispatch.joined',
  'dispatch.published',
  'dispatch.cleared',
  'ledger.advanced',
  'ledger.cancelled',
  'ledger.opened',
  'ledger.stored',
]

/** How long faults go on. */
export const faultsMs = 6000

/**
 * Draws which kinds of faults a run has at all, how many, and each of them (after swarm testing). One
 * run in three loses acknowledged writes besides, once or several times in a row: that breaks promises,
 * so most runs must do without.
 */
export function drawFaults(random: Random, processes: readonly string[]): Fault[] {
  const kinds = random.some(usualKinds, random.pick([0.15, 0.4, 0.7]))
  const count = kinds.length === 0 ? 0 : random.pick([1, 2, 4, 7])
  const faults = Array.from({ length: count }, () => drawFault(random, processes, random.pick(kinds)))
  return random.chance(0.35) ? [...faults, ...drawLosses(random)] : faults
}

/** One loss or several, at any moment or right after something durable; those in a row forget each other as well. */
function drawLosses(random: Random): Fault[] {
  const one = (when: Fault['when']): Fault => {
    const returnMs = random.pick([0.5, random.between(1, 60), random.between(60, 1000)])
    return random.chance(0.6)
      ? { when, kind: 'loss', writes: random.pick([1, 1, 2, 3, random.int(1, 30), random.int(30, 300)]), returnMs }
      : { when, kind: 'rollback', backMs: random.between(1, 1000), returnMs }
  }
  const first = random.between(0, faultsMs * random.pick([0.05, 0.2, 0.5, 1]))
  const losses = [
    one(random.chance(0.5) ? { failpoint: random.pick(failpoints), nth: random.int(1, 4) } : { atMs: first }),
  ]
  for (let atMs = first; random.chance(0.5); ) {
    atMs += random.pick([random.between(0.5, 20), random.between(20, 400), random.between(400, 2000)])
    losses.push(one({ atMs }))
  }
  return losses
}

function drawFault(random: Random, processes: readonly string[], kind: FaultKind): Fault {
  const atMs = random.between(0, faultsMs * random.pick([0.2, 0.5, 1]))
  const process = random.pick(processes)
  const long = () => random.pick([random.between(50, 1500), random.between(1500, 5000), random.between(5000, 12_000)])
  if (kind === 'crash' || kind === 'pause') {
    const point = random.chance(0.5)
    const when = point ? { failpoint: random.pick(failpoints), nth: random.int(1, 4) } : { atMs }
    const whom = point ? {} : { process }
    if (kind === 'crash') return { when, ...whom, kind, downMs: random.between(10, 3000) }
    return { when, ...whom, kind, ms: long() }
  }
  const when = { atMs }
  switch (kind) {
    case 'cut':
      return { when, kind, process, ms: random.between(1, 2000) }
    case 'slow':
      return { when, kind, ms: random.between(200, 5000), latencyMs: random.pick([20, 200, 1500]) }
    case 'away':
      return { when, kind, ms: random.between(10, 4000) }
    case 'full':
      return { when, kind, ms: random.between(10, 1500) }
    case 'deaf':
      return { when, kind, ms: random.between(10, 4000) }
    case 'clock':
      return { when, kind, stepMs: random.pick([-5000, 5000, 3600_000, 24 * 3600_000]) }
    default:
      return { when, kind }
  }
}

export function describeFault(fault: Fault): string {
  const { when, kind, ...more } = fault
  const time = 'atMs' in when ? `at ${(when.atMs / 1000).toFixed(3)} s` : `at ${when.failpoint} (${when.nth})`
  const details = Object.entries(more).map(
    ([name, value]) => `${name} ${typeof value === 'number' ? Math.round(value) : value}`,
  )
  return [time, kind, ...details].join(' ')
}
