import { UnrecoverableError } from 'bullmq'
import type { LockRecord } from '../../../shared/ledger/ledger.ts'
import type { JobView } from '../../../shared/queue/job-view.ts'
import { askerOf, type Payload } from '../../../shared/queue/payloads.ts'
import { describeFault, RemodelError } from '../../../shared/runtime/errors.ts'
import type { Planning } from './planning.ts'

/** Each time another deployment took a name that was free when the plan was drawn; so it got on. */
const mostPlans = 32

/**
 * A job of the `deploys` queue: plan it and apply the plan; plan it again where another deployment was faster to take
 * an exclusive name. The job ends when the plan is running, not when it is done: no job ever waits for other jobs. Its
 * result is shown in Bull Board; the plan's own history is in the ledger.
 *
 * A job may be delivered again, when its planner was lost before the job ended. One order opens one plan: what was
 * opened for it then is its plan, also where that has ended, failed or was cancelled meanwhile.
 *
 * @param order.id another one for each order, the same for each delivery of it.
 */
export async function takeDeployRequest(
  { id, ...order }: Payload<'deploys'> & { id: string },
  planning: Planning,
  view?: JobView,
): Promise<{ plan: string; deployment: string; remodels: number }> {
  const attempt = async () => {
    view?.progress(10)
    const plan = await planning.plan({
      manifest: order.manifest,
      cloudConfigs: order.cloudConfigs,
      releases: order.releases,
      options: order.options,
    })
    const taken = { deployment: plan.deployment, remodels: plan.remodels.length }
    view?.progress(60)
    view?.note(`plan ${plan.id} of ${plan.deployment} is drawn: remodel task ${plan.id} shows how it ends`)
    const lock = { id: `deploys-${id}`, by: askerOf(order), message: order.message }
    const opened = await planning.openedAs(plan.deployment, lock.id)
    if (opened) return { plan: opened.id, deployment: plan.deployment, remodels: opened.counts.total }
    try {
      await planning.apply(plan.id, { ...lock, waitSeconds: 0 })
      return { plan: plan.id, ...taken }
    } catch (error) {
      // In the hands of two planners at once, because of a stall: the other one was faster.
      const held = error instanceof RemodelError ? (error.details.lock as LockRecord | undefined) : undefined
      if (held?.id === lock.id) return { plan: held.plan, ...taken }
      throw error
    }
  }
  try {
    for (let plans = 1; ; plans++) {
      try {
        return await attempt()
      } catch (error) {
        if (!(error instanceof RemodelError) || error.code !== 'claimed' || plans >= mostPlans) throw error
      }
    }
  } catch (error) {
    if (error instanceof RemodelError && error.code === 'invalid-input') {
      throw new UnrecoverableError([error.message, ...error.faults.map(describeFault)].join('\n'))
    }
    throw error
  }
}
