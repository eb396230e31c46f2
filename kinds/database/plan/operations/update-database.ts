import { addNodes } from './add-nodes.ts'
import { dumpRoles, rolesSource } from './catalogue.ts'
import { checkUpdate } from './checks.ts'
import { refuseDataLoss } from './data-loss.ts'
import { links, ownResources } from './end-state.ts'
import { fault, faultClass } from './faults.ts'
import type { NodeResources, ServiceResources } from './node.ts'
import type { PlanOptions } from './plan.ts'
import { populateNodes } from './populate-nodes.ts'
import { repairSteps, withoutDangling } from './repair.ts'
import { findActual, type NamedPlan, type State } from './resource.ts'
import { drawPlans, journey } from './sequence.ts'
import type { Step } from './step.ts'
import { type Led, led } from './switchover.ts'
import { reaches, unfinishedSource } from './unfinished.ts'
import { concurrentUpdateNodes, rollingUpdateNodes } from './update-nodes.ts'

export interface UpdateDatabaseOptions {
  /** `rolling` (also when empty): node after node. `concurrent`: all nodes at the same time. */
  readonly node_update_strategy?: string
  readonly plan_options?: PlanOptions
  /** Allows an update that leaves none of the data there is. */
  readonly data_loss?: boolean
  /** All hosts there are; an instance elsewhere is refused. Absent: not checked. */
  readonly hosts?: readonly string[]
  /**
   * Better than the reference where its own cases pin what it does (docs/use/databases.md): force keeps the strategy,
   * what failed is tried once, another resource version is an update, nodes added together wait for each other's slots,
   * a node whose copy was cut off is filled again, and two instances of a node on one host and wrong names are refused.
   */
  readonly careful?: boolean
}

/**
 * The plans that make a database stand as `nodes` and `services` say, always in the order: update the nodes that stand,
 * add new nodes, fill them from their sources, take away nodes and whatever else is left. No nodes: the database goes.
 *
 * Pure; nothing given is changed. Throws a `RemodelError` (`invalid-input`) with `details.error_class`: one of
 * `invalid_strategy`, `duplicate_*`, `unknown_host`, `invalid_source_node`, `invalid_name`, `data_loss`, `no_primary`,
 * `primary_not_created`, `empty_node`, or what `Plan` throws. Rule of the reference: `operations.UpdateDatabase`.
 */
export function UpdateDatabase(
  options: UpdateDatabaseOptions,
  start: State,
  nodes: readonly NodeResources[],
  services: readonly ServiceResources[] = [],
): NamedPlan[] {
  const careful = options.careful ?? false
  const concurrent = isConcurrent(options.node_update_strategy ?? '')
  checkUpdate(start, nodes, { careful, ...(options.hosts === undefined ? {} : { hosts: options.hosts }) })
  if (!options.data_loss) refuseDataLoss(start, nodes)

  const { updates, adds } = partition(start, nodes, careful)
  const steps = [...updateSteps(start, updates, concurrent), ...addSteps(start, updates, adds, careful)]
  const path = journey(start, { own: ownResources(nodes, services), links: () => links(nodes) })
  const rules = { force: options.plan_options?.force_update ?? false, careful }
  try {
    return drawPlans(path, steps, rules)
  } catch (error) {
    if (faultClass(error) !== 'missing_dependency') throw error
    // Only what is lost can be brought back; any other missing dependency is missing again below, and refused.
    const mended = withoutDangling(path)
    if (mended === undefined && path.lost.size === 0) throw error
    const primaries = new Set(updates.map(({ node }) => node.primary_instance_id))
    return drawPlans(mended ?? path, [...repairSteps(path, primaries), ...steps], rules)
  }
}

function isConcurrent(strategy: string): boolean {
  if (strategy === 'concurrent') return true
  if (strategy === '' || strategy === 'rolling') return false
  throw fault('invalid_strategy', `unrecognized node update strategy ${strategy} (allowed: rolling, concurrent)`)
}

/** Nodes that stand, with their primaries, and nodes to be added, with their sources. */
function partition(
  start: State,
  nodes: readonly NodeResources[],
  careful: boolean,
): { updates: Led[]; adds: NodeResources[] } {
  const names = nodes
    .map(({ node_name }) => node_name)
    .filter((name) => findActual(start, 'database.node', name) !== undefined)
  const updates: Led[] = []
  const adds: NodeResources[] = []
  for (const node of nodes) {
    const source = careful ? unfinishedSource(start, node) : undefined
    if (source !== undefined) adds.push({ ...node, source_node: source })
    else if (names.includes(node.node_name)) updates.push(led(start, node))
    else adds.push(node)
  }
  const standard = updates[0]?.node.node_name ?? ''
  return {
    updates,
    adds: adds.map((node) =>
      node.restore_config !== null || node.source_node !== '' ? node : { ...node, source_node: standard },
    ),
  }
}

function updateSteps(start: State, updates: readonly Led[], concurrent: boolean): Step[] {
  if (!concurrent) {
    return updates.flatMap(({ node, handOver }) => [
      ...(handOver ? [handOver] : []),
      ...rollingUpdateNodes(start, [node]),
    ])
  }
  const handOvers = updates.flatMap(({ handOver }) => handOver ?? [])
  const nodes = updates.map(({ node }) => node)
  return [...joined(handOvers), ...concurrentUpdateNodes(start, nodes)]
}

function joined([first, ...others]: readonly Step[]): Step[] {
  if (first === undefined) return []
  const all = [first, ...others]
  return [{ ...first, parts: all.flatMap(({ parts }) => parts), resources: all.flatMap(({ resources }) => resources) }]
}

function addSteps(start: State, updates: readonly Led[], adds: readonly NodeResources[], careful: boolean): Step[] {
  if (adds.length === 0) return []
  const sourced = adds.filter(({ source_node, restore_config }) => source_node !== '' && restore_config === null)
  const sources = new Set(sourced.map(({ source_node }) => source_node))
  const roles = [
    ...[...sources].map(dumpRoles),
    ...sourced.map(({ node_name, source_node }) => rolesSource(node_name, source_node)),
  ]
  const actual = updates.map(({ node }) => node)
  const database = adds[0]!.database_name
  const rules = { joinWaits: true, reaches: (peer: string, source: string) => reaches(start, database, peer, source) }
  const populated = populateNodes(actual, adds, careful ? rules : undefined)
  const pairs = [...sources].map((source) => {
    const names = sourced.filter(({ source_node }) => source_node === source).map(({ node_name }) => node_name)
    return `${names.join(', ')} from ${source}`
  })
  return [
    ...(roles.length > 0 ? [{ verb: `copy roles: ${pairs.join('; ')}`, parts: [], resources: roles }] : []),
    ...addNodes(adds),
    ...(populated === null ? [] : [{ verb: `populate ${pairs.join('; ')}`, parts: [], resources: populated }]),
  ]
}
