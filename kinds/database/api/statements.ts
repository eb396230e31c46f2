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

/** Statements for the nodes of a database; no nodes: all of them. */
export const StatementsRequest = z.strictObject({
  sql: z.string().min(1),
  nodes: z.array(z.string()).default([]),
})
export type StatementsRequest = z.output<typeof StatementsRequest>
