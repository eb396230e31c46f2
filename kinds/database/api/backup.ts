import { z } from 'zod'

/** A base backup of a database's node. Milliseconds since the epoch, by the server's clock. */
export const BackupSummary = z.object({
  id: z.string(),
  node: z.string(),
  /** History of one set of data; another begins where a node is restored. */
  line: z.string(),
  /** Any time between these two can be restored. `until` null: the log that makes it whole is not there. */
  from: z.number(),
  until: z.number().nullable(),
  /** Where it ends in the server's log, and the first transaction that it does not have. */
  stop: z.string(),
  nextXid: z.string(),
  dataBytes: z.number(),
  /** What it takes in the blobstore: the backup, and the log behind it up to the next one. */
  bytes: z.number(),
  logBytes: z.number(),
})
export type BackupSummary = z.infer<typeof BackupSummary>
