import { z } from 'zod'
import type { Lifecycle } from './lifecycle.ts'

/** Overrides of the manifest's `update` block for one plan, as `bosh deploy --canaries --max-in-flight` has them. */
export const DeploymentOptions = z.strictObject({
  canaries: z.int().nonnegative().optional(),
  /** A number, or a share of the instances of a group: `20%`. */
  maxInFlight: z.string().optional(),
})
export type DeploymentOptions = z.infer<typeof DeploymentOptions> & {
  /** What an action asks for: no order can. */
  lifecycle?: Lifecycle
}
