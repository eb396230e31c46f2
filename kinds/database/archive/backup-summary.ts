import { z } from 'zod'

/** A base backup as people see it. */
export const BackupSummary = z.object({
  id: z.string(),
  node: z.string(),
  line: z.string(),
  /** Any time between these two can be restored; `until` null: its own log is not whole. Milliseconds. */
  from: z.number(),
  until: z.number().nullable(),
  stop: z.string(),
  nextXid: z.string(),
  dataBytes: z.number(),
  /** In the blobstore: the backup, and the log from it to the next backup of its line. */
  bytes: z.number(),
  logBytes: z.number(),
})
export type BackupSummary = z.infer<typeof BackupSummary>
