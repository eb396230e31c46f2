import { z } from 'zod'

/**
 * When the file of the log that is being written is ended, so that it can be archived. The last seal belongs to the
 * line of the archive and not to a process: a seal is a transaction itself, and an assembler that took another one's
 * seal for a write would seal an idle database for ever. Pure.
 */

/** What a server says of itself in one moment. */
export interface Moment {
  /** By the server's clock, in milliseconds: no other clock has a say. */
  at: number
  /** `pg_current_snapshot()`: the same as long as no transaction that writes begins or ends. */
  snapshot: string
}

/** The last seal of a line. */
export const Seal = z.object({
  /** The file that was ended. */
  file: z.string(),
  /** Every commit up to here is in that file or an earlier one. */
  at: z.number(),
  /** Of the moment before the file was ended, and behind the seal's own transaction. */
  snapshot: z.string(),
  /** The time of the last seal whose files are all archived; null: none of them is yet. */
  archivedAt: z.number().nullable(),
  /** How often a file is ended where something is written, in milliseconds. */
  everyMs: z.number(),
})
export type Seal = z.infer<typeof Seal>

/** Something was written that is in no file that was ended. */
function isBehind(last: Seal | null, now: Pick<Moment, 'snapshot'>): boolean {
  return last === null || last.snapshot !== now.snapshot
}

/** A clock that was set back is no reason to wait. */
export function isDue(last: Seal | null, now: Moment, everyMs: number): boolean {
  if (last === null) return true
  const since = now.at - last.at
  return isBehind(last, now) && (since < 0 || since >= everyMs)
}

/** How many turns may be missed before the archive is late. */
const patience = 5

/**
 * Whether a written row has been waiting for long. Of an idle database the archive is never late, however old.
 *
 * @param oldest when the first transaction that is in no ended file was committed; null: there is none.
 */
export function isLate(last: Seal, oldest: number | null, now: number): boolean {
  const limit = patience * last.everyMs
  const unshipped = last.archivedAt !== last.at && now - last.at > limit
  return unshipped || (oldest !== null && now - oldest > limit)
}
