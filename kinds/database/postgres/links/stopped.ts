import { z } from 'zod'

/** A link of two nodes that carries nothing: why, and what a person may do about it. */
export const Stopped = z.object({
  from: z.string(),
  to: z.string(),
  why: z.string(),
  table: z.string().nullable(),
  key: z.string().nullable(),
  /** Statements, any of which makes the link go on, each with what it does. They are to be run on `to`. */
  repair: z.array(z.object({ statement: z.string(), meaning: z.string() })),
})
export type Stopped = z.infer<typeof Stopped>

/** Why, and what to do. */
export function causeText({ to, why, repair }: Stopped): string {
  const ways = repair.map(({ statement, meaning }) => `${statement}; (${meaning})`).join(' or ')
  return ways === '' ? why : `${why}. To repair it, run on ${to}: ${ways}`
}

/** One sentence for a plan, a table or a step that waits. */
export const stoppedText = (stopped: Stopped) =>
  `${stopped.to} gets nothing of what ${stopped.from} writes: ${causeText(stopped)}`
