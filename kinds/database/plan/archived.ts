import { z } from 'zod'
import { type Aspect, type Look, type Observation, observation, observed } from '../../../shared/model/observation.ts'
import { BackupSummary } from '../api/backup.ts'

/** Rows and transactions (`written-since.ts`); bytes of the log where no more is known. */
const Drops = z.union([
  z.object({ rows: z.number().nullable(), transactions: z.number(), more: z.boolean() }),
  z.object({ bytes: z.number() }),
])
export type Drops = z.infer<typeof Drops>

/** What the inspector found of a node's archive. It is recorded nowhere: the archive itself is the record. */
export const ArchiveSeen = z.object({
  deployment: z.string(),
  node: z.string(),
  /** What its primary writes goes to this line; null where it does not say, or is not archived. */
  line: z.string().nullable(),
  /** The primary's clock, in milliseconds: up to now everything can still be archived. */
  now: z.number().nullable(),
  /** How far the primary has come: the next transaction, and its log; null where it does not say. */
  nextXid: z.string().nullable(),
  end: z.string().nullable(),
  /** What it drops where it goes back to what the document asks for; absent: that could not be seen. */
  drops: Drops.optional(),
  /** Oldest first. */
  backups: z.array(BackupSummary),
})
export type ArchiveSeen = z.infer<typeof ArchiveSeen>

/** A primary that writes goes on from where it was seen. */
const freshMs = 60_000

const archive: Aspect<ArchiveSeen> = { name: 'archive', value: ArchiveSeen, freshMs }

export function archiveObservation(seen: ArchiveSeen, look: Look): Observation {
  return observation(archive, `archive/${seen.deployment}:${seen.node}`, seen, look)
}

export function archivesIn(observations: readonly Observation[]): ArchiveSeen[] {
  return [...observed(observations, archive).values()]
}
