import { type ActualMaterial, materialType } from '../../../shared/model/material.ts'

/**
 * Nodes that let no client in, as the inspector found their servers. `added`: none of its servers has ever let one in,
 * so all that it has it got from other nodes; else some server may have.
 */
export function closedNodes(materials: readonly ActualMaterial[]): ReadonlyMap<string, 'added' | 'partly'> {
  const servers = materials.filter(({ id }) => materialType(id) === 'instance')
  const found = new Map<string, 'added' | 'partly'>()
  for (const [node, own] of Map.groupBy(servers, ({ attributes }) => String(attributes.node))) {
    if (own.every(({ meta }) => meta.closed === 'added')) found.set(node, 'added')
    else if (own.some(({ meta }) => meta.closed !== undefined)) found.set(node, 'partly')
  }
  return found
}
