import { z } from 'zod'

/** One material that is not as the ledger has recorded it. */
export const Deviation = z.object({
  material: z.string(),
  /** What is wrong, as the rest of a sentence that begins with the material: `is missing`. */
  what: z.string(),
  /**
   * What a person does about it: a command line, or a sentence where none is enough. Absent: the
   * next deploy, or nothing.
   */
  next: z.string().optional(),
})
export type Deviation = z.infer<typeof Deviation>

/** What is there, compared with what the ledger has recorded. */
export const Verdict = z.object({
  /** When the planner looked, in milliseconds since the epoch. */
  at: z.number(),
  /** Empty: everything is as it was recorded. */
  deviations: z.array(Deviation),
  /** One sentence for each thing that is as it was recorded and will cause trouble. */
  warnings: z.array(z.string()).optional(),
})
export type Verdict = z.infer<typeof Verdict>
