import { z } from 'zod'

export const Problem = z.object({
  /** `urn:remodel:<code>` */
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
  faults: z
    .array(
      z.object({
        file: z.string().optional(),
        line: z.number().optional(),
        column: z.number().optional(),
        path: z.string().optional(),
        message: z.string(),
        found: z.string().optional(),
        allowed: z.string().optional(),
        suggestion: z.string().optional(),
      }),
    )
    .default([]),
  details: z.record(z.string(), z.unknown()).default({}),
})
export type Problem = z.infer<typeof Problem>
