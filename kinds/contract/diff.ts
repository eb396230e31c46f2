import { canonical } from '../../shared/model/canonical.ts'
import type { ActualMaterial, Json, Material } from '../../shared/model/material.ts'
import type { Change } from '../../shared/model/plan.ts'

/** How one material differs from the floorplan. `same` ones are not listed by `diffMaterials`. */
export type Difference =
  | { id: string; how: 'create'; wanted: Material; changes: Change[] }
  | { id: string; how: 'update'; wanted: Material; actual: ActualMaterial; changes: Change[] }
  | { id: string; how: 'delete'; actual: ActualMaterial; changes: Change[] }

/**
 * What differs between blueprint and floorplan, in the order of the blueprint, deletions last.
 * Compares attributes only: `meta` belongs to the world, not to the user.
 */
export function diffMaterials(wanted: readonly Material[], actual: readonly ActualMaterial[]): Difference[] {
  const before = new Map(actual.map((material) => [material.id, material]))
  const differences: Difference[] = []
  for (const material of wanted) {
    const old = before.get(material.id)
    before.delete(material.id)
    if (!old) {
      differences.push({
        id: material.id,
        how: 'create',
        wanted: material,
        changes: changesBetween({}, material.attributes),
      })
      continue
    }
    const changes = changesBetween(old.attributes, material.attributes)
    if (changes.length > 0) differences.push({ id: material.id, how: 'update', wanted: material, actual: old, changes })
  }
  for (const old of before.values()) {
    differences.push({ id: old.id, how: 'delete', actual: old, changes: changesBetween(old.attributes, {}) })
  }
  return differences
}

/** Field-level changes between two JSON objects, by dotted path; lists are compared whole. */
export function changesBetween(before: Record<string, Json>, after: Record<string, Json>, prefix = ''): Change[] {
  const changes: Change[] = []
  for (const key of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
    const [old, now] = [before[key], after[key]]
    const path = prefix === '' ? key : `${prefix}.${key}`
    if (isObject(old) && isObject(now)) changes.push(...changesBetween(old, now, path))
    else if (old === undefined && now !== undefined) changes.push({ path, after: now })
    else if (now === undefined && old !== undefined) changes.push({ path, before: old })
    else if (old !== undefined && now !== undefined && canonical(old) !== canonical(now)) {
      changes.push({ path, before: old, after: now })
    }
  }
  return changes
}

function isObject(value: Json | undefined): value is Record<string, Json> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
