import { z } from 'zod'

export const CleanRequest = z.strictObject({
  /** Also releases and compiled packages that no deployment uses. */
  all: z.boolean().default(false),
  dryRun: z.boolean().default(false),
})
export type CleanRequest = z.input<typeof CleanRequest>

/** What went, or in a dry run would go. `kept` counts the blobs that stay. */
export const Cleaned = z.object({
  releases: z.array(z.string()),
  compiled: z.int(),
  blobs: z.int(),
  bytes: z.int(),
  kept: z.int(),
})
export type Cleaned = z.infer<typeof Cleaned>
