import { z } from 'zod'

/** What the actions of a database are given: plans that no document asks for. */

export const BackUp = z.strictObject({
  /** None means all that are archived. */
  nodes: z.array(z.string()).default([]),
})
export type BackUp = z.output<typeof BackUp>

export const Promotion = z.strictObject({
  /** The server that is to take writes: `n1-b`. */
  server: z.string(),
  /** Also where something that was acknowledged may be lost. */
  acceptLoss: z.boolean().default(false),
})
export type Promotion = z.output<typeof Promotion>

export const Restart = z.strictObject({
  /** Nodes or servers; none means all. */
  parts: z.array(z.string()).default([]),
  /** A primary hands over to a replica instead of being started again in place. */
  switchOver: z.boolean().default(false),
})
export type Restart = z.output<typeof Restart>
