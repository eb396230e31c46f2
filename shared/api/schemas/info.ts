import { z } from 'zod'

export const Info = z.object({
  name: z.literal('remodel'),
  version: z.string(),
  planner: z.string(),
  kinds: z.array(z.string()),
  /** What an operator should see to soon: a disk that is nearly full. */
  warnings: z.array(z.string()),
})
export type Info = z.infer<typeof Info>
