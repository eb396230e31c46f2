import type { Plan } from '../shared/model/plan.ts'
import type { Verdict } from '../shared/model/verdict.ts'
import { RemodelError } from '../shared/runtime/errors.ts'
import type { Context } from './context.ts'
import { isEmpty } from './views/plan.ts'

/**
 * Of a plan that changes nothing, whether the deployment is as it was recorded: only then is that said of it. Null: the
 * plan has something to do. A deployment that nothing was ever made of deviates in nothing.
 */
export async function verdictIfUnchanged(plan: Plan, context: Context): Promise<Verdict | null> {
  if (!isEmpty(plan)) return null
  const client = await context.client()
  return client.verdict(plan.deployment, 0).catch((error: unknown) => {
    if (error instanceof RemodelError && error.code === 'not-found') return { at: Date.now(), deviations: [] }
    throw error
  })
}
