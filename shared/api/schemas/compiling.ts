import { z } from 'zod'

/** A plan's packages at the moment of asking: beside the plan, no part of it. */
export const Compiling = z.object({
  /** How many packages that the plan needs are compiled already. */
  hits: z.int(),
  /** Those that the plan would still see to. */
  packages: z.array(
    z.object({
      remodel: z.string(),
      name: z.string(),
      key: z.string(),
      /**
       * `hit`: compiled since the plan was drawn; `join`: it is being compiled for another plan;
       * `compile`: for this one.
       */
      how: z.enum(['hit', 'join', 'compile']),
      /** The deployment it is compiled for; null where no plan has asked for it yet. */
      for: z.string().nullable(),
      /** When that began; null where it waits in the queue. */
      since: z.number().nullable(),
      /** How long it took the last time, or, where it is not `measured`, what others usually take. */
      estimateMs: z.number(),
      measured: z.boolean(),
      /** It was measured with this very source, not with another one of the same name. */
      sameSource: z.boolean().default(false),
    }),
  ),
  /** How many at once, at most. */
  workers: z.int(),
  /** The longest chain of packages that wait for each other. */
  longestMs: z.number(),
  /** All of them, played through with that number of workers, the longest remaining path first. */
  estimateMs: z.number(),
})
export type Compiling = z.infer<typeof Compiling>
