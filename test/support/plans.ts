import type { RemodelDraft } from '../../services/planner/foreman/draft.ts'
import { sealPlan } from '../../services/planner/foreman/seal.ts'
import type { Place, Plan, Window } from '../../shared/model/plan.ts'

/** A remodel that needs `needs`; everything else has a usual value. */
export function remodel(id: string, needs: string[] = [], more: Partial<RemodelDraft> = {}): RemodelDraft {
  return {
    id,
    step: 'nothing',
    action: 'update',
    material: `thing/${id}`,
    title: id,
    stage: 'Testing',
    reasons: ['asked'],
    needs,
    ...more,
  }
}

/** A sealed plan of a test's own. */
export function planOf(
  deployment: string,
  remodels: RemodelDraft[],
  more: { windows?: Window[]; places?: Place[]; version?: number } = {},
): Plan {
  return sealPlan(
    { remodels, windows: more.windows ?? [], places: more.places ?? [], notes: [] },
    { deployment, kind: 'test', materials: [], strategy: null },
    { deployment, version: more.version ?? 0, materials: [] },
  )
}
