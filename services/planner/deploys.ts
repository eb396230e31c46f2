import { UnrecoverableError } from 'bullmq'
import { describeFault, RemodelError } from '../../shared/errors.ts'
import type { Payload } from '../../shared/queue/catalog.ts'
import type { Planning } from './planning.ts'

/**
 * A job of the `deploys` queue: plan it and apply the plan. The job ends when the plan is running, not when it is done:
 * no job ever waits for other jobs. Its result is shown in Bull Board; the plan's own history is in the ledger.
 */
export async function takeOrder(
  order: Payload<'deploys'>,
  planning: Planning,
): Promise<{ plan: string; deployment: string; remodels: number }> {
  const { canaries, maxInFlight, ...options } = order.options
  try {
    const plan = await planning.plan({
      manifest: order.manifest,
      cloudConfigs: order.cloudConfigs,
      releases: order.releases,
      options: {
        ...options,
        ...(canaries === undefined ? {} : { canaries }),
        ...(maxInFlight === undefined ? {} : { maxInFlight }),
      },
    })
    await planning.apply(plan.id, { holder: order.holder, message: order.message, waitSeconds: 0 })
    return { plan: plan.id, deployment: plan.deployment, remodels: plan.remodels.length }
  } catch (error) {
    if (error instanceof RemodelError && error.code === 'invalid-input') {
      throw new UnrecoverableError([error.message, ...error.faults.map(describeFault)].join('\n'))
    }
    throw error
  }
}
