import { z } from 'zod'
import { Order, SourceFile } from './order.ts'

/** A release or a stemcell by its id. */
const Upload = z.strictObject({ name: z.string(), version: z.string() })

/**
 * The order of a plan that was opened, with all that it left open as it was then, so that it can be given again.
 * `cloudConfigs` are those that were used, given or uploaded; versions that say `latest` or `create` mean the newest of
 * `uploads`.
 */
export const StandingOrder = Order.extend({
  cloudConfigs: z.array(SourceFile),
  uploads: z.strictObject({ releases: z.array(Upload), stemcells: z.array(Upload) }),
})
export type StandingOrder = z.output<typeof StandingOrder>
export type Uploads = StandingOrder['uploads']
