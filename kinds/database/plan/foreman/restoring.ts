import type { NamedPlan, NodeResources, NodeRestoreResources, State } from '../operations/operations.ts'
import { findActual, findResource, RestoreDatabase } from '../operations/operations.ts'
import type { Strategy } from '../strategy.ts'
import type { Restores } from './restores.ts'

/** The plans that restore nodes which stand, or of which something is left, by the operations. */
export function restorePlans(
  strategy: Strategy,
  start: State,
  nodes: readonly NodeResources[],
  { pending }: Restores,
): NamedPlan[] {
  const untouched = nodes.filter(({ node_name }) => !pending.has(node_name))
  const targets = nodes.filter(({ node_name }) => pending.has(node_name)).map((node) => targetOf(strategy, start, node))
  return RestoreDatabase(start, untouched, targets)
}

/**
 * A node that exists came from where it came from, whatever the document says of that now: the operations take it for a
 * part of the node. Only one that is to be restored, or was and does not stand yet, is as the document says.
 */
export function originOf(
  node: NodeResources,
  start: State,
  { pending, restored, joining }: Restores,
  aside: ReadonlyMap<string, string>,
): NodeResources {
  const { node_name: name, database_name } = node
  // It has data of its own: it is no copy of a node that exists.
  if (aside.has(name)) return { ...node, source_node: '', restore_config: { source_database_name: database_name } }
  if (joining.has(name)) return { ...node, restore_config: null }
  const exists = findActual(start, 'database.node', name) !== undefined
  if (pending.has(name) || (restored.has(name) && !exists)) return node
  const made = findResource(start, 'database.postgres_database', `${name}:${database_name}`)?.attributes
  if (made?.has_restore_config !== true) return exists ? { ...node, restore_config: null } : node
  return { ...node, source_node: '', restore_config: { source_database_name: String(made.rename_from) } }
}

/** Something of a node that is to be restored exists: it has to be taken down first. */
export function takesDown(start: State, { pending }: Restores): boolean {
  return Object.values(start.resources['database.instance'] ?? {}).some(({ attributes }) =>
    pending.has(String(attributes.node)),
  )
}

/** The instance that gets the data: whom the document names, else who takes writes, else the first. */
export function heirOf(strategy: Strategy, start: State, { node_name, instances }: NodeResources): string {
  const ids = (instances ?? []).map(({ instance_id }) => instance_id)
  const actual = findResource(start, 'database.node', node_name)?.attributes.primary_instance_id
  return [strategy.primaries[node_name], actual].map(String).find((id) => ids.includes(id)) ?? ids[0] ?? ''
}

function targetOf(strategy: Strategy, start: State, node: NodeResources): NodeRestoreResources {
  const instances = node.instances ?? []
  const heir = heirOf(strategy, start, node)
  // Machines of replicas stay: only what runs on them goes.
  const machines = instances.flatMap(({ instance_dependencies }) => instance_dependencies ?? [])
  const primary = { ...instances.find(({ instance_id }) => instance_id === heir)!, instance_dependencies: machines }
  return {
    database_id: node.database_id,
    database_owner: node.database_owner,
    database_name: node.database_name,
    node_name: node.node_name,
    primary_instance: primary,
    restore_instance: primary,
    replica_instances: instances.filter(({ instance_id }) => instance_id !== heir),
    restore_config: node.restore_config,
    scripts: node.scripts,
  }
}
