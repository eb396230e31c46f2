import type { StandingMaterial } from '../../../../shared/model/material.ts'
import type { Deviation } from '../../../../shared/model/verdict.ts'
import { closedNodes } from './closed.ts'
import { resourceOf } from './state.ts'

/** Nodes that are closed to clients, machines, servers, slots and subscriptions that are gone or do not do as they should. */
export function deviations(seen: readonly StandingMaterial[]): Deviation[] {
  const closed = [...closedNodes(seen)].map(([node, why]): Deviation => {
    const added = 'is being added, and lets no client in before every other node gets what is written to it'
    return { material: `node/${node}`, what: why === 'added' ? added : 'lets no client in on some of its servers' }
  })
  const amiss = seen.flatMap((material): Deviation[] => {
    if (material.meta.resource === undefined) return []
    const { needs_recreate: gone, error } = resourceOf(material)
    if (error) return [{ material: material.id, what: `is not as it should be: ${error}` }]
    if (!gone) return []
    return [
      { material: material.id, what: material.meta.health === 'down' ? 'does not answer' : 'is gone, or not recorded' },
    ]
  })
  return [...closed, ...amiss]
}
