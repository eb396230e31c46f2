import { findResource, type NodeResources, type State } from '../operations/operations.ts'

/**
 * Nodes with their instances in the order in which they stand, new ones behind: the order of a document's
 * hosts says nothing once a node exists, and a change of it would be a change of the node. The first of a new
 * node becomes its primary.
 */
export function inStandingOrder(
  nodes: readonly NodeResources[],
  start: State,
  primaries: Readonly<Record<string, string>>,
): NodeResources[] {
  return nodes.map((node) => {
    const stood = findResource(start, 'database.node', node.node_name)?.attributes.instance_ids
    const order = Array.isArray(stood) ? stood.map(String) : [primaries[node.node_name] ?? '']
    const placed = (id: string) => (order.includes(id) ? order.indexOf(id) : order.length)
    const instances = [...(node.instances ?? [])].sort((a, b) => placed(a.instance_id) - placed(b.instance_id))
    return { ...node, instances }
  })
}
