import { fault } from './faults.ts'
import type { NodeResources } from './node.ts'
import type { State } from './resource.ts'

/**
 * Refuses an update in which no existing node stays and a new one would start empty: most often a misspelt name, and
 * always the loss of all data. The reference plans it without a word.
 */
export function refuseDataLoss(start: State, nodes: readonly NodeResources[]): void {
  const actual = Object.keys(start.resources['database.node'] ?? {})
  if (actual.length === 0 || nodes.some(({ node_name }) => actual.includes(node_name))) return
  const empty = nodes.filter(({ source_node, restore_config }) => source_node === '' && restore_config === null)
  if (empty.length === 0) return
  const names = empty.map(({ node_name }) => node_name).join(', ')
  throw fault(
    'data_loss',
    `this update removes every node there is (${actual.join(', ')}) and would start ${names} empty: ` +
      'give each new node a source_node or a restore_config, or set data_loss to lose the data',
    { removed: actual, empty: empty.map(({ node_name }) => node_name) },
  )
}
