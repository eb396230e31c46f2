import { setTimeout as sleep } from 'node:timers/promises'
import type { RemodelDraft } from '../../kinds/contract/draft.ts'
import { sealPlan } from '../../services/planner/planning/seal.ts'
import type { Ledger, Released } from '../../shared/ledger/ledger.ts'
import type { Permit, Plan, Remodel, Window } from '../../shared/model/plan.ts'

/** A remodel that needs `needs`; everything else has a usual value. */
export function remodel(
  id: string,
  needs: string[] = [],
  more: Partial<RemodelDraft> = {},
): RemodelDraft & Pick<Remodel, 'title'> {
  return {
    id,
    step: 'nothing',
    action: 'update',
    material: `thing/${id}`,
    title: id,
    stage: 'Testing',
    reasons: [{ code: 'asked-for' }],
    needs,
    ...more,
  }
}

/** A sealed plan of a test's own. */
export function planOf(
  deployment: string,
  remodels: RemodelDraft[],
  more: { windows?: Window[]; permits?: Permit[]; version?: number } = {},
): Plan {
  return sealPlan(
    { remodels, windows: more.windows ?? [], permits: more.permits ?? [], notes: [] },
    { deployment, kind: 'test', materials: [], strategy: null },
    { deployment, version: more.version ?? 0, materials: [] },
  )
}

/** All work of a plan that a worker may claim, when its time has come. */
export async function released(ledger: Ledger, deployment: string, plan: string): Promise<Released[]> {
  const queues = await ledger.queuesOf(deployment, plan)
  const allowances = Object.fromEntries(queues.map((queue) => [queue, 1_000_000]))
  for (let isMore = true; isMore; ) {
    const step = await ledger.advance(deployment, plan, allowances)
    isMore = step.isMore || step.dueMs !== undefined
    if (step.dueMs !== undefined) await sleep(step.dueMs)
  }
  const range = { before: '+inf', from: 0, limit: 1_000_000 } as const
  return (await Promise.all(queues.map((queue) => ledger.unclaimed(deployment, plan, queue, range)))).flat()
}
