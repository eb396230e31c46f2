import { z } from 'zod'
import { Actor } from '../../model/actor.ts'
import { StandingOrder } from '../../model/standing-order.ts'

/** An order that a deployment was deployed by: its plan was opened. */
export const OrderVersion = z.object({
  /** Counts up within the deployment. */
  version: z.int(),
  plan: z.string(),
  at: z.number(),
  by: Actor.nullable(),
  message: z.string(),
})
export type OrderVersion = z.infer<typeof OrderVersion>

/** With its documents, and the uploads that they meant then. */
export const KeptOrder = OrderVersion.extend({ order: StandingOrder })
export type KeptOrder = z.infer<typeof KeptOrder>
