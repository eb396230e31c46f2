import type { Client } from '../../shared/api/client.ts'
import { planSmall, type SmallOptions } from '../../test/support/small.ts'
import { over } from '../over.ts'

/**
 * Deploys the small release. `planMs`: manifest to stored plan; `runMs`: start of the plan to its end,
 * by the ledger's clock.
 */
export async function deployTimed(
  client: Client,
  options: SmallOptions,
): Promise<{ planMs: number; runMs: number; plan: string; remodels: number }> {
  const asked = performance.now()
  const { plan } = await planSmall(client, options)
  const planMs = performance.now() - asked
  if (plan.remodels.length === 0) return { planMs, runMs: 0, plan: plan.id, remodels: 0 }
  await client.apply(plan.id, {})
  await over(client, plan.deployment, plan.id)
  const { status } = await client.planView(plan.id)
  const runMs = new Date(status.finishedAt ?? 0).getTime() - new Date(status.startedAt ?? 0).getTime()
  return { planMs, runMs, plan: plan.id, remodels: plan.remodels.length }
}
