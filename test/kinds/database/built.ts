import { effect } from '../../../kinds/database/testing/effect.ts'
import type { StandingMaterial } from '../../../shared/model/material.ts'
import type { Plan } from '../../../shared/model/plan.ts'

/** The floorplan after a plan, as its steps would record it. */
export function builtBy(plan: Plan, materials: StandingMaterial[] = []): StandingMaterial[] {
  const standing = new Map(materials.map((material) => [material.id, material]))
  for (const remodel of plan.remodels) effect(standing, remodel)
  return [...standing.values()]
}
