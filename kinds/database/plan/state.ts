import type { ActualMaterial, Material } from '../../../shared/model/material.ts'
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
export function actualOf(resource: ResourceData): ActualMaterial {
  const { attributes: _, ...rest } = resource
  return { ...materialOf(resource), meta: { resource: rest as unknown as JsonObject } as ActualMaterial['meta'] }
}

export function resourceOf(material: ActualMaterial): ResourceData {
  const rest = material.meta.resource as unknown as Omit<ResourceData, 'attributes'>
  return { ...rest, attributes: material.attributes }
}

/** The operations' state, as the floorplan holds it. */
export function stateOfFloorplan(materials: readonly ActualMaterial[]): State {
  return stateOf(materials.filter((material) => material.meta.resource !== undefined).map(resourceOf))
}
