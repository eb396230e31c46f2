import type { PlanRecord } from '../../../shared/ledger/ledger.ts'
import type { Loss, Repair } from '../../../shared/model/healing.ts'
import type { Lost } from '../planning/verdicts.ts'

const hourMs = 3_600_000
/** After its first repair a subject is left alone for so long; each further one doubles that, an hour at most. */
const firstPauseMs = 30_000
/**
 * A storm: so many are lost within this time, and more than this share of all instances. The numbers of BOSH's
 * resurrector (`minimum_down_jobs`, `percent_threshold`, `time_threshold`).
 */
const limits = { least: 5, share: 0.2, withinMs: 600_000 }

/** What is lost now, and the last plan that was to make the deployment as it was ordered; null where none is known. */
interface Seen extends Lost {
  newest: Pick<PlanRecord, 'id' | 'state' | 'errors'> | null
  /** Whether some of what is lost can be mended without the rest. */
  isEach: boolean
}

/** What the guards say: what may be mended now, why the rest waits, and when they are to be asked again. */
export interface Ruling {
  mends: readonly Loss[]
  waits: { why: string; again: number | null } | null
}

/**
 * What of that which is lost may be mended now. Pure.
 *
 * - **unsettled**: after a plan that did not end well, what is there is not what was ordered, and what a person has
 *   cancelled or refused is not begun again: a person goes on. Only a repair that failed by itself is tried again.
 * - **flapping**: what was mended and is lost again is left alone for 30 s, twice as long each time, and half as long
 *   for each hour in which it was well. Where all has to be mended together, the first that may be takes the rest
 *   along.
 * - **storm**: where many are lost within ten minutes something else is ill, and new machines may make it worse: a
 *   fifth of all is mended in that time. Where all has to be mended together, a person decides.
 */
export function rule({ losses, of, newest, isEach }: Seen, repairs: readonly Repair[], now: number): Ruling {
  const [first] = losses
  if (!first) return { mends: [], waits: null }
  const unsettled = whyUnsettled(newest, repairs)
  if (unsettled !== null)
    return { mends: [], waits: { why: `${first.subject} is lost, and ${unsettled}`, again: null } }
  const moments = new Map(losses.map((loss) => [loss, mayBeMended(loss, repairs)]))
  const isRested = (loss: Loss) => moments.get(loss)! <= now
  const rested = isEach ? losses.filter(isRested) : losses.some(isRested) ? losses : []
  const storm = stormOf({ losses, of, isEach }, repairs, now)
  if (storm && rested.length > storm.room) return { mends: rested.slice(0, storm.room), waits: storm.waits }
  const left = losses.filter((loss) => !rested.includes(loss))
  return { mends: rested, waits: left.length === 0 ? null : flapping(left, moments) }
}

/** Why these wait, of which each was mended not long ago. */
function flapping(left: readonly Loss[], moments: ReadonlyMap<Loss, number>): NonNullable<Ruling['waits']> {
  const again = Math.min(...left.map((loss) => moments.get(loss)!))
  const { subject } = left.find((loss) => moments.get(loss) === again)!
  const until = new Date(again).toISOString()
  return { why: `${subject} was lost again soon after it was mended: it is left alone until ${until}`, again }
}

/** Null where there is none; else how many may be mended now, and why the rest waits. */
function stormOf(
  { losses, of, isEach }: Pick<Seen, 'losses' | 'of' | 'isEach'>,
  repairs: readonly Repair[],
  now: number,
): { room: number; waits: NonNullable<Ruling['waits']> } | null {
  const recent = repairs.filter(({ at }) => at > now - limits.withinMs)
  const mended = recent.flatMap(({ subjects }) => subjects)
  const hit = new Set([...losses.map(({ subject }) => subject), ...mended]).size
  if (hit < limits.least || hit <= limits.share * of) return null
  const allowed = Math.max(limits.least - 1, Math.floor(limits.share * of))
  const many = `${hit} of ${of} instances were lost within ten minutes`
  const alone = `${many}, and no more than ${allowed} are mended without a person`
  if (!isEach) return { room: 0, waits: { why: alone, again: null } }
  const room = Math.max(0, allowed - mended.length)
  const again = room > 0 ? null : Math.min(...recent.map(({ at }) => at)) + limits.withinMs
  const why = `${many}: ${allowed} are mended in that time, and remodel bring-back mends all that are gone`
  return { room, waits: { why, again } }
}

/** Null where the last plan leaves the way free. */
function whyUnsettled(newest: Seen['newest'], repairs: readonly Repair[]): string | null {
  if (newest === null || newest.state === 'done') return null
  const { id, state, errors } = newest
  if (state === 'parked') return `plan ${id} waits: see remodel task ${id}`
  const isRepair = repairs.some(({ plan }) => plan === id)
  if (state !== 'failed' || !isRepair) return `the last plan, ${id}, is ${state}: deploy again, or roll back`
  // An approval that a person has refused ends its plan with this code.
  return errors.some(({ code }) => code === 'cancelled') ? `a person has refused plan ${id}: deploy again` : null
}

/** When it may be mended: milliseconds since the epoch. */
function mayBeMended({ subject }: Loss, repairs: readonly Repair[]): number {
  const times = repairs
    .flatMap(({ subjects, at }) => (subjects.includes(subject) ? [at] : []))
    .toSorted((a, b) => a - b)
  let row = 0
  let last = Number.NEGATIVE_INFINITY
  for (const at of times) {
    row = 1 + Math.max(0, row - Math.floor((at - last) / hourMs))
    last = at
  }
  return row === 0 ? last : last + Math.min(hourMs, firstPauseMs * 2 ** (row - 1))
}
