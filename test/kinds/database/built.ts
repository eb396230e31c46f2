import { effect } from '../../../kinds/database/testing/effect.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'
import type { Plan } from '../../../shared/model/plan.ts'

/** The floorplan after a plan, as its steps would record it. */
export function builtBy(plan: Plan, materials: ActualMaterial[] = []): ActualMaterial[] {
  const actual = new Map(materials.map((material) => [material.id, material]))
  for (const remodel of plan.remodels) effect(actual, remodel)
  return [...actual.values()]
}
