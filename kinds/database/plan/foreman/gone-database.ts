import type { ActualMaterial } from '../../../../shared/model/material.ts'
import type { Fault } from '../../../../shared/runtime/errors.ts'
import { invalidInput } from '../../../../shared/source/document.ts'
import type { Strategy } from '../strategy.ts'
import type { Restores } from './restores.ts'

/** The server of the node answers and has no database, though one was set up there. */
export function databaseIsGone(materials: readonly ActualMaterial[], node: string): boolean {
  return materials.some(({ attributes, meta }) => attributes.node_name === node && meta.gone === true)
}

/**
 * Throws `invalid-input` where another hand has dropped the database of a node that stays: made anew it would be empty,
 * and "done" would be said of that.
 */
export function refuseGoneDatabases(
  strategy: Strategy,
  materials: readonly ActualMaterial[],
  { pending }: Restores,
): void {
  const names = strategy.nodes.map(({ node_name }) => node_name)
  const faults = names.flatMap((node, at): Fault[] => {
    if (pending.has(node) || !databaseIsGone(materials, node)) return []
    const alone = names.every((other) => other === node || databaseIsGone(materials, other))
    const way = alone ? 'or remove this deployment' : `or deploy without ${node}, then add it again`
    const message = `database ${strategy.database} of node ${node} is gone: restore it (restore_config), ${way}`
    return [{ path: `nodes[${at}].name`, message }]
  })
  if (faults.length > 0) throw invalidInput(faults)
}
