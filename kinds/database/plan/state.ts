import type { Material, StandingMaterial } from '../../../shared/model/material.ts'
import { materialId } from './names.ts'
import { type JsonObject, type ResourceData, type State, stateOf } from './operations/operations.ts'

/** A resource as a material: attributes are what people see change, the rest is the operations' own book-keeping. */
export function materialOf(resource: ResourceData): Material {
  return {
    id: materialId(resource.identifier),
    attributes: resource.attributes as Material['attributes'],
    needs: (resource.dependencies ?? []).map(materialId),
  }
}

/** The same with its book-keeping, as steps and the inspector write it into the floorplan. */
export function standingOf(resource: ResourceData): StandingMaterial {
  const { attributes: _, ...rest } = resource
  return { ...materialOf(resource), meta: { resource: rest as unknown as JsonObject } as StandingMaterial['meta'] }
}

export function resourceOf(material: StandingMaterial): ResourceData {
  const rest = material.meta.resource as unknown as Omit<ResourceData, 'attributes'>
  return { ...rest, attributes: material.attributes }
}

/** The operations' state, as the floorplan holds it. */
export function stateOfFloorplan(materials: readonly StandingMaterial[]): State {
  return stateOf(materials.filter((material) => material.meta.resource !== undefined).map(resourceOf))
}
