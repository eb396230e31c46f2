import { fault } from './faults.ts'
import { instanceState, type NodeResources, nodeState } from './node.ts'
import type { State } from './resource.ts'
import { type Step, statesOf, stepOf, together, withLast } from './step.ts'

/**
 * The differences that add a node: its first instance, which becomes the primary, then all others at the same
 * time. The node itself comes with the last. To be merged one after the other upon the present state. Refuses a
 * node without instances.
 */
export function AddNode(node: NodeResources): State[] {
  return statesOf(addNode(node))
}

/** As `AddNode` for several nodes at the same time: all primaries, then all replicas. */
export function AddNodes(nodes: readonly NodeResources[]): State[] {
  return statesOf(addNodes(nodes))
}

export function addNodes(nodes: readonly NodeResources[]): Step[] {
  return together(nodes.map(addNode))
}

function addNode(node: NodeResources): Step[] {
  const [primary, ...replicas] = node.instances ?? []
  if (primary === undefined) {
    throw fault('empty_node', `got empty instances for node ${node.node_name}`, { node: node.node_name })
  }
  const steps = [stepOf('add', node.node_name, 'primary', instanceState(primary))]
  if (replicas.length > 0) steps.push(stepOf('add', node.node_name, 'replicas', replicas.flatMap(instanceState)))
  return withLast(steps, nodeState(node))
}
