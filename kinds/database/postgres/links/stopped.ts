import { StoppedLink } from '../../../../shared/api/schema.ts'

export const Stopped = StoppedLink
export type Stopped = StoppedLink

/** Why, and what to do. */
export function causeText({ to, why, repair }: Stopped): string {
  const ways = repair.map(({ statement, meaning }) => `${statement}; (${meaning})`).join(' or ')
  return ways === '' ? why : `${why}. To repair it, run on ${to}: ${ways}`
}

/** One sentence for a plan, a table or a step that waits. */
export const stoppedText = (stopped: Stopped) =>
  `${stopped.to} gets nothing of what ${stopped.from} writes: ${causeText(stopped)}`
