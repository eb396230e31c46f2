import {
  lagTracker,
  originAdvance,
  peerCatchup,
  peerCatchupId,
  replicationSlot,
  replicationSlotCreate,
  type Site,
  siteOf,
  slotAdvance,
  slotCreateId,
  subscription,
  syncEvent,
  waitForSyncEvent,
  waitForSyncEventId,
} from './catalogue.ts'
import { databaseState, type NodeResources } from './node.ts'
import { type Identifier, nameOf, type ResourceData, type State, stateOf } from './resource.ts'

/**
 * The difference that fills a new node N from its source S without stopping writes.
 *
 * Per peer P (an existing node that is neither N nor S): a slot for N is made on P before anything is copied, and a
 * subscription that does not run yet; a mark sent from P to S tells when S has all that P had before the slot. Then N
 * copies S, structure and data; when it has, the slot on P is moved to where the copy ends, and so is N's own record of
 * P. So no row is lost, none comes twice. The last plan of an update lets the subscriptions run.
 */
export function PopulateNode(node: NodeResources, existingNodeNames: readonly string[]): State {
  return stateOf(populateNode(node, existingNodeNames))
}

/** As `PopulateNode` for all new nodes that have a source, at the same time; null when none has. */
export function PopulateNodes(existing: readonly NodeResources[], added: readonly NodeResources[]): State | null {
  const resources = populateNodes(existing, added)
  return resources === null ? null : stateOf(resources)
}

/** What the reference leaves out of a copy. */
export interface PopulateRules {
  /**
   * Two new nodes that wait for the same mark of a peer both have their slot made before it is sent. The reference
   * keeps only the last one's.
   */
  readonly joinWaits: boolean
  /** Whether what the peer writes reaches the source; one that does not is no peer yet. */
  readonly reaches: (peer: string, source: string) => boolean
}

export function populateNodes(
  existing: readonly NodeResources[],
  added: readonly NodeResources[],
  rules?: PopulateRules,
): ResourceData[] | null {
  const sourced = added.filter(({ source_node }) => source_node !== '')
  if (sourced.length === 0) return null
  const names = existing.map(({ node_name }) => node_name)
  const peersOf = ({ source_node }: NodeResources) => names.filter((name) => rules?.reaches(name, source_node) ?? true)
  const resources = sourced.flatMap((node) => populateNode(node, peersOf(node)))
  return rules?.joinWaits ? joinSyncEvents(resources) : resources
}

function populateNode(node: NodeResources, existingNodeNames: readonly string[]): ResourceData[] {
  const site = (name: string) => siteOf(name, node.database_name)
  const source = site(node.source_node)
  const added = site(node.node_name)
  const peers = existingNodeNames.filter((name) => name !== node.node_name && name !== node.source_node).map(site)
  return [
    ...databaseState(node),
    ...peers.flatMap((peer) => peerResources(peer, source, added)),
    replicationSlot(source, added),
    subscription(source, added, {
      sync: true,
      extra: peers.flatMap((peer) => [waitForSyncEventId(peer, source), peerCatchupId(source, peer)]),
    }),
    syncEvent(source, added),
    waitForSyncEvent(source, added),
  ]
}

function peerResources(peer: Site, source: Site, added: Site): ResourceData[] {
  return [
    replicationSlot(peer, added),
    subscription(peer, added, { disabled: true }),
    replicationSlotCreate(peer, added),
    syncEvent(peer, source, [slotCreateId(peer, added)]),
    waitForSyncEvent(peer, source),
    peerCatchup(source, peer),
    lagTracker(peer, added, [waitForSyncEventId(source, added)]),
    slotAdvance(peer, added),
    originAdvance(peer, added),
  ]
}

function joinSyncEvents(resources: readonly ResourceData[]): ResourceData[] {
  const joined = new Map<string, ResourceData>()
  for (const resource of resources) {
    const key = nameOf(resource.identifier)
    const first = joined.get(key)
    joined.set(
      key,
      first !== undefined && resource.identifier.type === 'database.sync_event' ? join(first, resource) : resource,
    )
  }
  return [...joined.values()]
}

function join(first: ResourceData, second: ResourceData): ResourceData {
  const extra = unique([...extraOf(first), ...extraOf(second)])
  return {
    ...second,
    attributes: { ...second.attributes, extra_dependencies: extra },
    dependencies: unique([...(first.dependencies ?? []), ...(second.dependencies ?? [])]),
  }
}

function extraOf(resource: ResourceData): readonly Identifier[] {
  return (resource.attributes.extra_dependencies as readonly Identifier[] | null) ?? []
}

function unique(identifiers: readonly Identifier[]): Identifier[] {
  return [...new Map(identifiers.map((identifier) => [nameOf(identifier), identifier])).values()]
}
