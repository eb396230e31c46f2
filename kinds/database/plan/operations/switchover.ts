import { switchover } from './catalogue.ts'
import { fault } from './faults.ts'
import type { NodeResources } from './node.ts'
import { findActual, type State } from './resource.ts'
import type { Step } from './step.ts'

/** An existing node with the instance that takes writes during the update. */
export interface Led {
  readonly node: NodeResources
  /** Hands the primary role over first, where the primary's host leaves the spec. */
  readonly handOver?: Step
}

/**
 * The node with its primary as it is. Where that one is not in the spec any more, the first instance that stays and
 * exists takes over, as a step of its own before anything else happens to the node. The reference refuses this
 * (`no_primary`) and leaves the switchover to the user.
 */
export function led(start: State, node: NodeResources): Led {
  const known = findActual(start, 'database.node', node.node_name)?.attributes.primary_instance_id
  const primary = typeof known === 'string' ? known : ''
  const instances = node.instances ?? []
  const stays = instances.some(({ instance_id }) => instance_id === primary)
  if (primary === '' || stays) return { node: { ...node, primary_instance_id: primary } }
  const heir = instances.find(({ instance_id }) => {
    const instance = findActual(start, 'database.instance', instance_id)
    return instance !== undefined && instance.error === ''
  })
  if (heir === undefined) {
    throw fault(
      'no_primary',
      `node ${node.node_name} has no primary instance: ${primary} is to go and no instance that stays can take over; ` +
        'add a replica on another host first',
      { node: node.node_name, instance: primary },
    )
  }
  return {
    node: { ...node, primary_instance_id: heir.instance_id },
    handOver: {
      verb: 'switch over',
      parts: [{ node: node.node_name, what: `${primary} to ${heir.instance_id}` }],
      resources: [switchover(heir)],
      once: true,
    },
  }
}
