import { z } from 'zod'

/** What operators stored for plans to use. */
export const Config = z.object({ type: z.enum(['cloud', 'runtime']), name: z.string(), content: z.string() })
export type Config = z.infer<typeof Config>
