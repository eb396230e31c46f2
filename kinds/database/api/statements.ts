import { z } from 'zod'

/** What became of statements on one node. */
export const StatementOutcome = z.object({
  node: z.string(),
  /** `undone`: nothing of it is there; `unknown`: its end was not heard of. */
  state: z.enum(['done', 'undone', 'unknown']),
  /** Why it is not done; null where it is. */
  why: z.string().nullable(),
})
export type StatementOutcome = z.infer<typeof StatementOutcome>

/**
 * Statements for the nodes of a database; no nodes: all of them. `limitSeconds`: so long they may take on each node.
 */
export const StatementsRequest = z.strictObject({
  sql: z.string().min(1),
  nodes: z.array(z.string()).default([]),
  limitSeconds: z.int().min(1).max(3600).default(60),
})
export type StatementsRequest = z.output<typeof StatementsRequest>
