import { z } from 'zod'
import { type ArchivedLog, type Backup, pathOf, segmentAt, segmentOf } from './chain.ts'

/**
 * How far the log behind a backup goes, as far as it was looked at. It is kept, and goes on from where it was: so
 * neither a plan nor a table of backups reads the log of years. Pure.
 */
export const Reach = z.object({
  /** The newest timeline that was known: another one may have left this one earlier, and all is looked at anew. */
  timeline: z.number(),
  /** The last file without a gap; null: not even the first one is there. */
  last: z.string().nullable(),
  /** Every commit up to here is in these files, in milliseconds; null: none of them is sealed. */
  sealedAt: z.number().nullable(),
  /** Of these files, packed. */
  bytes: z.number(),
  /** A file is missing, and later ones have been packed since: it will not come any more. */
  ended: z.boolean(),
})
export type Reach = z.infer<typeof Reach>

/** From which segment on the log is needed to go on; null: nothing new can matter. */
export function neededFrom(
  backup: Pick<Backup, 'start'>,
  known: Reach | undefined,
  log: Pick<ArchivedLog, 'histories'>,
): number | null {
  if (!known || known.timeline !== pathOf(backup, log).timeline) return segmentOf(backup.start)
  if (known.ended) return null
  return known.last === null ? segmentOf(backup.start) : segmentOf(known.last) + 1
}

/**
 * Goes on from what is known with the log from `neededFrom` on.
 *
 * @param within only so far, by segment: what is behind it may still be sealed.
 */
export function reachOf(
  backup: Pick<Backup, 'start'>,
  known: Reach | undefined,
  log: ArchivedLog,
  within = Number.POSITIVE_INFINITY,
): Reach {
  const { timeline, fileAt } = pathOf(backup, log)
  const begun = known?.timeline === timeline ? known : { last: null, sealedAt: null, bytes: 0, ended: false }
  if (begun.ended) return { ...begun, timeline }
  let { last, sealedAt, bytes } = begun
  const first = last === null ? segmentOf(backup.start) : segmentOf(last) + 1
  for (let segment = first; segment <= within; segment++) {
    const file = fileAt(segment)
    const found = log.files.get(file)
    if (!found) break
    last = file
    bytes += found.bytes
    if (found.sealedAt !== undefined) sealedAt = Math.max(sealedAt ?? 0, found.sealedAt)
  }
  return { timeline, last, sealedAt, bytes, ended: false }
}

/** Until when the backup can be restored to any time, in milliseconds; null where its own log is not archived whole. */
export function untilOf(backup: Backup, { last, sealedAt }: Reach): number | null {
  if (last === null || segmentOf(last) < segmentAt(backup.stop)) return null
  return Math.max(backup.finishedAt, sealedAt ?? 0)
}
