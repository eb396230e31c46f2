import { sealPlan } from '../../services/planner/planning/seal.ts'
import type { Plan } from '../../shared/model/plan.ts'

/** A plan of remodels that do nothing; each needs up to three of the 200 before it, the same graph every time. */
export function noopPlan(deployment: string, size: number): Plan {
  let seed = 42
  const draw = (limit: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
    return seed % limit
  }
  const remodels = Array.from({ length: size }, (_, i) => {
    const needs = new Set(Array.from({ length: draw(4) }, () => i - 1 - draw(200)).filter((need) => need >= 0))
    return {
      id: `n${i}`,
      step: 'nothing',
      action: 'update' as const,
      material: `thing/n${i}`,
      title: `n${i}`,
      stage: 'Nothing',
      reasons: [{ code: 'bench' }],
      needs: [...needs].map((need) => `n${need}`),
    }
  })
  return sealPlan(
    { remodels, windows: [], permits: [], notes: [] },
    { deployment, kind: 'noop', materials: [], strategy: null },
    { deployment, version: 0, materials: [] },
  )
}
