import { z } from 'zod'

export const CheckRequest = z.strictObject({ rebuildPercent: z.number().positive().max(100) })
export type CheckRequest = z.input<typeof CheckRequest>

/** Packages that are compiled a second time. `other`: something else came out; `failed`: nothing did. */
export const Check = z.object({
  id: z.string(),
  packages: z.array(
    z.object({
      package: z.string(),
      key: z.string(),
      stemcell: z.string(),
      state: z.enum(['open', 'same', 'other', 'failed']),
      /** In use, and stays so. */
      digest: z.string(),
      rebuilt: z.string().optional(),
      /** The first file that differs, and how. */
      difference: z.object({ path: z.string(), what: z.string() }).optional(),
      message: z.string().optional(),
      log: z.string().optional(),
    }),
  ),
})
export type Check = z.infer<typeof Check>
