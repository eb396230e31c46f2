import { node as nodeResource } from './catalogue.ts'
import { checkRestore } from './checks.ts'
import { DependencyState } from './dependency-state.ts'
import { endState } from './end-state.ts'
import { type InstanceResources, instanceState, type NodeResources, type RestoreConfig } from './node.ts'
import { atState } from './plan.ts'
import { type NamedPlan, type ResourceData, resourcesOf, type State } from './resource.ts'
import { type Step, statesOf, stepOf, titleOf, together } from './step.ts'
import { transition } from './transition.ts'
import { VertexIndex } from './vertex-index.ts'

/** A node to be restored: its instances as they will stand, and its primary as it is while it is restored. */
export interface NodeRestoreResources {
  readonly database_id: string
  readonly database_owner: string
  readonly database_name: string
  readonly node_name: string
  readonly primary_instance: InstanceResources
  /** The primary with what the restore itself needs. */
  readonly restore_instance: InstanceResources
  readonly replica_instances: readonly InstanceResources[] | null
  readonly restore_config: RestoreConfig | null
  /** Not run again, but part of the state; the reference leaves it out, so its next update changes the database. */
  readonly scripts?: NodeResources['scripts']
}

/**
 * The states a restored node goes through: only what its primary rests on; the primary with what restores it; the
 * primary as before, all replicas and the node. These are not differences: each is merged upon one base, so that what
 * it lacks is taken away.
 */
export function RestoreNode(target: NodeRestoreResources): State[] {
  return statesOf(restoreNode(target))
}

/**
 * The plans that restore the targets, all at the same time, while the other nodes stay. `nodes` holds only nodes that
 * are not restored. Refuses a node in both lists, a node named twice, and what `Plan` refuses.
 */
export function RestoreDatabase(
  start: State,
  nodes: readonly NodeResources[],
  targets: readonly NodeRestoreResources[],
): NamedPlan[] {
  checkRestore(nodes, targets)
  const base = endState(nodes, [])
  const steps = together(targets.map(restoreNode)).map((step) => ({ ...step, resources: [...base, ...step.resources] }))
  const names = targets.map(({ node_name }) => node_name).join(', ')
  const last: Step = {
    verb: `connect ${names}`,
    parts: [],
    resources: endState([...nodes, ...targets.map(asNode)], []),
  }
  const vertices = new VertexIndex()
  const dependencies = new DependencyState(vertices, vertices.bind(resourcesOf(start)))
  return [...steps, last]
    .map((step, index) => ({
      name: titleOf(step),
      phases: atState(index, () => transition(dependencies, vertices.bind(step.resources), { exact: true })),
    }))
    .filter(({ phases }) => phases.length > 0)
}

function restoreNode(target: NodeRestoreResources): Step[] {
  const { node_name, primary_instance, restore_instance } = target
  const replicas = target.replica_instances ?? []
  const ids = [primary_instance, ...replicas].map(({ instance_id }) => instance_id)
  const after: ResourceData[] = [
    ...instanceState(primary_instance),
    ...replicas.flatMap(instanceState),
    nodeResource(node_name, ids),
  ]
  return [
    stepOf('restore', node_name, 'take down', primary_instance.instance_dependencies ?? []),
    stepOf('restore', node_name, 'restore the primary', instanceState(restore_instance)),
    stepOf(
      'restore',
      node_name,
      replicas.length > 0 ? 'bring up the primary and its replicas' : 'bring up the primary',
      after,
    ),
  ]
}

/** The target as an ordinary node of the end state. */
function asNode(target: NodeRestoreResources): NodeResources {
  return {
    database_id: target.database_id,
    database_owner: target.database_owner,
    database_name: target.database_name,
    node_name: target.node_name,
    source_node: '',
    primary_instance_id: target.primary_instance.instance_id,
    instances: [target.primary_instance, ...(target.replica_instances ?? [])],
    restore_config: target.restore_config,
    scripts: target.scripts ?? null,
  }
}
