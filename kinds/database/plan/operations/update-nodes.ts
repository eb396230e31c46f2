import { fault } from './faults.ts'
import { type InstanceResources, instanceState, type NodeResources, nodeState } from './node.ts'
import { findResource, type State } from './resource.ts'
import { type Step, statesOf, stepOf, together, withLast } from './step.ts'

/**
 * The differences that update a node: every replica that exists, one after the other, then the primary, then every new
 * replica, one after the other. The node itself comes with the last.
 *
 * Refuses a node whose primary is not among its instances (`no_primary`) or does not stand (`primary_not_created`).
 */
export function UpdateNode(start: State, node: NodeResources): State[] {
  return statesOf(updateNode(start, node))
}

/** Node after node, in the order given: downtime is limited to a single node. */
export function RollingUpdateNodes(start: State, nodes: readonly NodeResources[]): State[] {
  return statesOf(rollingUpdateNodes(start, nodes))
}

/**
 * All nodes at the same time, the n-th step of one with the n-th of the others: quicker, and all may be down at once.
 */
export function ConcurrentUpdateNodes(start: State, nodes: readonly NodeResources[]): State[] {
  return statesOf(concurrentUpdateNodes(start, nodes))
}

export function rollingUpdateNodes(start: State, nodes: readonly NodeResources[]): Step[] {
  return nodes.flatMap((node) => updateNode(start, node))
}

export function concurrentUpdateNodes(start: State, nodes: readonly NodeResources[]): Step[] {
  return together(nodes.map((node) => updateNode(start, node)))
}

function updateNode(start: State, node: NodeResources): Step[] {
  const { node_name, primary_instance_id } = node
  const exists = (one: InstanceResources) =>
    findResource(start, one.instance.identifier.type, one.instance.identifier.id) !== undefined
  const replicas: InstanceResources[] = []
  const added: InstanceResources[] = []
  let primary: InstanceResources | undefined
  for (const instance of node.instances ?? []) {
    if (instance.instance_id !== primary_instance_id) (exists(instance) ? replicas : added).push(instance)
    else if (exists(instance)) primary = instance
    else {
      throw fault(
        'primary_not_created',
        `invalid state: node ${node_name} exists, but its primary instance '${primary_instance_id}' hasn't been created yet`,
        { node: node_name, instance: primary_instance_id },
      )
    }
  }
  if (primary === undefined) {
    throw fault('no_primary', `node ${node_name} has no primary instance`, { node: node_name })
  }
  const steps = [
    ...replicas.map((one, index) =>
      stepOf('update', node_name, counted('replica', index, replicas), instanceState(one)),
    ),
    stepOf('update', node_name, 'primary', instanceState(primary)),
    ...added.map((one, index) => stepOf('update', node_name, counted('new replica', index, added), instanceState(one))),
  ]
  return withLast(steps, nodeState(node))
}

function counted(what: string, index: number, all: readonly unknown[]): string {
  return all.length === 1 ? what : `${what} ${index + 1} of ${all.length}`
}
