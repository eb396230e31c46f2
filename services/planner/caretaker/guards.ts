import type { PlanRecord } from '../../../shared/ledger/ledger.ts'
import type { Loss, Repair } from '../../../shared/model/healing.ts'
import type { Lost } from '../planning/verdicts.ts'

const hourMs = 3_600_000
/** After its first repair a subject is left alone for so long; each further one doubles that, an hour at most. */
const firstPauseMs = 30_000
/** A storm: so many at once, and more than this share of all instances. The numbers of BOSH's resurrector. */
const storm = { least: 5, share: 0.2 }

/** What is lost now, and the last plan of the deployment that was begun. */
interface Seen extends Lost {
  newest: Pick<PlanRecord, 'id' | 'state' | 'errors'>
}

/** What the guards say to a repair: go, or why not and when they are to be asked again. */
export type Ruling = { go: true } | { go: false; why: string; again: number | null }

/**
 * Whether what is lost may be mended now. Pure.
 *
 * - **unsettled**: after a plan that did not end well, what is there is not what was ordered, and what a person has
 *   cancelled or refused is not begun again: a person goes on. Only a repair that failed by itself is tried again.
 * - **storm**: where many are lost at once something else is ill, and new machines would make it worse: a person
 *   decides.
 * - **flapping**: what was mended and is lost again is left alone for 30 s, twice as long each time, and half as long
 *   for each hour in which it was well. Where one of several has waited for long enough, all are mended.
 */
export function rule({ losses, of, newest }: Seen, repairs: readonly Repair[], now: number): Ruling {
  const unsettled = whyUnsettled(newest, repairs)
  if (unsettled !== null) return { go: false, why: `${losses[0]!.subject} is lost, and ${unsettled}`, again: null }
  if (losses.length >= storm.least && losses.length > storm.share * of) {
    const allowed = Math.max(storm.least - 1, Math.floor(storm.share * of))
    const why = `${losses.length} of ${of} instances are lost at once, and no more than ${allowed} are mended without a person`
    return { go: false, why, again: null }
  }
  const moments = losses.map((loss) => mayBeMended(loss, repairs))
  const again = Math.min(...moments)
  if (again <= now) return { go: true }
  const { subject } = losses[moments.indexOf(again)]!
  const until = new Date(again).toISOString()
  return {
    go: false,
    why: `${subject} was lost again soon after it was mended: it is left alone until ${until}`,
    again,
  }
}

/** Null where the last plan leaves the way free. */
function whyUnsettled({ id, state, errors }: Seen['newest'], repairs: readonly Repair[]): string | null {
  if (state === 'done') return null
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
