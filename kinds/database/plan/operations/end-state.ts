import { replicationSlot, type Site, siteOf, subscription } from './catalogue.ts'
import { databaseState, instanceState, type NodeResources, nodeState, type ServiceResources } from './node.ts'
import { type ResourceData, type State, stateOf } from './resource.ts'

/** The state in the end: these nodes with a subscription from each to every other, these services, nothing else. */
export function EndState(nodes: readonly NodeResources[], services: readonly ServiceResources[] = []): State {
  return stateOf(endState(nodes, services))
}

export function endState(nodes: readonly NodeResources[], services: readonly ServiceResources[]): ResourceData[] {
  return [...ownResources(nodes, services), ...links(nodes)]
}

/** Everything but the links between nodes. */
export function ownResources(nodes: readonly NodeResources[], services: readonly ServiceResources[]): ResourceData[] {
  const own: ResourceData[] = []
  for (const node of nodes) {
    for (const instance of node.instances ?? []) own.push(...instanceState(instance))
    own.push(...nodeState(node), ...databaseState(node))
  }
  for (const { resources, monitor_resource } of services) {
    own.push(...(resources ?? []))
    if (monitor_resource !== null) own.push(monitor_resource)
  }
  return own
}

/** A slot and a subscription for every node from every other. */
export function* links(nodes: readonly NodeResources[]): Generator<ResourceData> {
  const sitesByDatabase = new Map<string, Site[]>()
  for (const [index, { database_name }] of nodes.entries()) {
    let sites = sitesByDatabase.get(database_name)
    if (sites === undefined) {
      sites = nodes.map(({ node_name }) => siteOf(node_name, database_name))
      sitesByDatabase.set(database_name, sites)
    }
    const provider = sites[index]!
    for (const subscriber of sites) {
      if (subscriber.node === provider.node) continue
      const slot = replicationSlot(provider, subscriber)
      yield slot
      yield subscription(provider, subscriber, { slot: slot.identifier })
    }
  }
}
