import { type Site, siteOf, subscriptionId, waitForSyncEventId } from './catalogue.ts'
import type { NodeResources } from './node.ts'
import { findActual, type Identifier, type State } from './resource.ts'

/**
 * The source an existing node was still being filled from when an earlier update was cut off, or undefined.
 *
 * Such a node exists, but half of its data may be missing: taken for a finished one it would be connected as it is, and
 * what its source had would never arrive. The reference does that. Known by the `database.roles_source` that only the
 * last plan of an update takes away; the copy is over when the subscription to the source lost its sync flags, or when
 * the mark sent after the copy has arrived and, for every peer that had a slot made, the position has been set.
 */
export function unfinishedSource(start: State, node: NodeResources): string | undefined {
  const find = ({ type, id }: Identifier) => findActual(start, type, id)
  const name = find({ type: 'database.roles_source', id: node.node_name })?.attributes.source_node_name
  if (typeof name !== 'string' || node.restore_config !== null) return undefined
  if (find({ type: 'database.node', id: name }) === undefined) return undefined
  const source = siteOf(name, node.database_name)
  const added = siteOf(node.node_name, node.database_name)
  if (find(subscriptionId(source, added))?.attributes.sync_data === false) return undefined
  const copied = find(waitForSyncEventId(source, added)) !== undefined
  return copied && positionsSet(start, added) ? undefined : name
}

function positionsSet(start: State, added: Site): boolean {
  return Object.values(start.resources['database.replication_slot_create'] ?? {})
    .filter(({ attributes }) => attributes.subscriber_node === added.node)
    .every(({ attributes }) => {
      const id = `${attributes.provider_node}:${added.node}:${added.database}`
      return findActual(start, 'database.replication_origin_advance', id) !== undefined
    })
}

/** Whether rows of `peer` reach `source`. Not so for a node whose copy is over but which is not connected yet. */
export function reaches(start: State, database: string, peer: string, source: string): boolean {
  const { type, id } = subscriptionId(siteOf(peer, database), siteOf(source, database))
  return findActual(start, type, id) !== undefined
}
