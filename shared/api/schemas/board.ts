import { z } from 'zod'

/** Where a browser gets in, once: a path of the planner. */
export const BoardKey = z.object({ path: z.string() })
export type BoardKey = z.infer<typeof BoardKey>
