import { inputs, type StepName } from '../../../kinds/database/inputs.ts'
import type { StandingMaterial } from '../../../shared/model/material.ts'
import type { Plan } from '../../../shared/model/plan.ts'

/** The floorplan after a plan, as its steps would record it. */
export function builtBy(plan: Plan, materials: StandingMaterial[] = []): StandingMaterial[] {
  const standing = new Map(materials.map((material) => [material.id, material]))
  for (const { step, material, input } of plan.remodels) {
    if (step === 'barrier') continue
    const given = inputs[step as StepName].parse(input)
    // Backups are recorded in the archive, not in the floorplan.
    if (!('resource' in given)) continue
    const { event, resource } = given
    const { attributes, ...rest } = resource
    if (event === 'delete') {
      standing.delete(material)
      continue
    }
    const first = material.startsWith('node/') ? { primary_instance_id: (attributes.instance_ids as string[])[0]! } : {}
    const health = /^(host|instance)\//.test(material) ? { health: 'running' } : {}
    standing.set(material, {
      id: material,
      attributes: { ...attributes, ...first },
      needs: [],
      meta: { resource: rest as never, ...health },
    })
  }
  return [...standing.values()]
}
