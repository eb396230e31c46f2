import type { StandingMaterial } from '../../../../shared/model/material.ts'
import type { Deviation } from '../../../../shared/model/verdict.ts'
import { resourceOf } from './state.ts'

/** Machines, servers, slots and subscriptions that are gone or do not do as they should. */
export function deviations(seen: readonly StandingMaterial[]): Deviation[] {
  return seen.flatMap((material): Deviation[] => {
    if (material.meta.resource === undefined) return []
    const { needs_recreate: gone, error } = resourceOf(material)
    if (error) return [{ material: material.id, what: `is not as it should be: ${error}` }]
    if (!gone) return []
    return [
      { material: material.id, what: material.meta.health === 'down' ? 'does not answer' : 'is gone, or not recorded' },
    ]
  })
}
