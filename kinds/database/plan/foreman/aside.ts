import { type ActualMaterial, materialName, materialType } from '../../../../shared/model/material.ts'
import { invalidInput } from '../../../../shared/source/document.ts'
import { findActual, type State } from '../operations/operations.ts'
import type { Strategy } from '../strategy.ts'
import type { Restores } from './restores.ts'

/**
 * Node -> the instance on whose host lies what the node had before a restore that did not end: where the restore is no
 * longer asked for, the node begins with that. Throws `invalid-input` where no node is to have that host any more,
 * unless data may be lost.
 */
export function laidAside(
  strategy: Strategy,
  start: State,
  materials: readonly ActualMaterial[],
  { pending }: Restores,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const hosts = materials.flatMap(({ id, meta }) =>
    materialType(id) === 'host' && meta.aside === true ? [materialName(id)] : [],
  )
  for (const host of hosts) {
    const node = strategy.nodes.find(({ instances }) => instances?.some(({ host_id }) => host_id === host))
    const instance = node?.instances?.find(({ host_id }) => host_id === host)?.instance_id
    if (node && instance && findActual(start, 'database.node', node.node_name) === undefined) {
      if (!pending.has(node.node_name)) found.set(node.node_name, instance)
    } else if (!node && !strategy.dataLoss) {
      const what = `host ${host} has what its node had before a restore that did not end`
      throw invalidInput([
        { path: 'hosts', message: `${what}: give it back to that node, or set data_loss to lose it` },
      ])
    }
  }
  return found
}

export function asideNotes(found: ReadonlyMap<string, string>): string[] {
  return [...found].map(
    ([node, instance]) => `the restore of ${node} is given up: it comes back as it was, on ${instance}`,
  )
}
