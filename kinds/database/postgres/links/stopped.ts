import type { StoppedLink } from '../../api/server.ts'

/** Why, and what to do. */
function causeText({ to, why, repair }: StoppedLink): string {
  const ways = repair.map(({ statement, meaning }) => `${statement}; (${meaning})`).join(' or ')
  return ways === '' ? why : `${why}. To repair it, run on ${to}: ${ways}`
}

/** One sentence for a plan, a table or a step that waits. */
export const stoppedText = (stopped: StoppedLink) =>
  `${stopped.to} gets nothing of what ${stopped.from} writes: ${causeText(stopped)}`
