import { InstanceAttributes, type Member, type Members, type Restore } from '../../inputs.ts'
import { instanceSlot, linkName } from '../../postgres/names.ts'
import {
  findActual,
  findResource,
  type NamedPlan,
  type NodeResources,
  type Phase,
  type ResourceData,
  type State,
} from '../operations/operations.ts'

interface Found {
  pending: ReadonlyMap<string, Restore>
  /** Node that was restored -> the instance that has the data. */
  restored: ReadonlyMap<string, string>
  /** Node -> the request that it was restored by last, or is restored by in this plan. */
  requests: ReadonlyMap<string, string>
  /** Node that is to be restored -> the instance that gets the data. */
  heirs: ReadonlyMap<string, string>
  /** Node that comes back as it was before a restore -> the instance that has the data. */
  aside: ReadonlyMap<string, string>
  /** Nodes that let no client in. */
  closed: ReadonlyMap<string, unknown>
  /** Servers that are left as they are, as there is no room on their disks. */
  held: ReadonlySet<string>
  /** Acknowledged rows may be lost. */
  loss: boolean
}

/** The state that a plan starts from, the nodes of the document, and the operations between the two. */
interface Change {
  start: State
  nodes: readonly NodeResources[]
  plans: readonly NamedPlan[]
}

/** What steps need to know beyond their own resource: who is in which node, and where a new node's data comes from. */
export class DatabaseContext {
  readonly deployment: string
  readonly members: Members = {}
  readonly #start: State
  readonly #nodes: readonly NodeResources[]
  readonly #sources: ReadonlyMap<string, string>
  /** Instances that take the primary role over in this plan. */
  readonly #heirs: ReadonlySet<string>
  readonly #found: Found
  /** Phase -> its number; instance -> the number of the last phase that sets it up. */
  readonly #order: ReadonlyMap<Phase, number>
  readonly #setUpIn: ReadonlyMap<string, number>
  /** Subscriptions that the plan sets up, with the numbers of their phases. */
  readonly #subscriptions: readonly { provider: string; slot: string; number: number }[]

  constructor(deployment: string, { start, nodes, plans }: Change, found: Found) {
    this.#found = found
    this.deployment = deployment
    this.#start = start
    this.#nodes = nodes
    for (const node of nodes) for (const { instance } of node.instances ?? []) this.#join(instance)
    for (const instance of Object.values(start.resources['database.instance'] ?? {})) this.#join(instance)
    const set = (type: string) =>
      plans
        .flatMap(({ phases }) => phases.flat())
        .filter((event) => event.type !== 'delete' && event.resource.identifier.type === type)
        .map(({ resource }) => resource)
    this.#sources = new Map(
      set('database.roles_source').map(({ identifier, attributes }) => [
        identifier.id,
        String(attributes.source_node_name),
      ]),
    )
    const phases = plans.flatMap((plan) => plan.phases)
    this.#order = new Map(phases.map((phase, number) => [phase, number]))
    const setIn = (type: string) =>
      phases.flatMap((phase, number) =>
        phase
          .filter((event) => event.type !== 'delete' && event.resource.identifier.type === type)
          .map(({ resource }) => ({ ...resource, number })),
      )
    this.#setUpIn = new Map(setIn('database.instance').map(({ identifier, number }) => [identifier.id, number]))
    this.#subscriptions = setIn('database.subscription').map(({ attributes, number }) => {
      const provider = String(attributes.provider_node)
      return { provider, slot: linkName(provider, String(attributes.subscriber_node)), number }
    })
    this.#heirs = new Set(set('database.switchover').map(({ identifier }) => identifier.id))
  }

  #join(resource: ResourceData): void {
    const { node, vm, address, port } = InstanceAttributes.parse(resource.attributes)
    const instance = resource.identifier.id
    const members = this.members[node] ?? []
    if (members.some((member) => member.instance === instance)) return
    this.members[node] = [...members, { instance, vm, address, port }]
  }

  membersOf(node: string): Member[] {
    return this.members[node] ?? []
  }

  /** Members that are to stay. */
  keptOf(node: string): Member[] {
    const wanted = this.#nodes.find(({ node_name }) => node_name === node)?.instances ?? []
    return this.membersOf(node).filter(({ instance }) => wanted.some(({ instance_id }) => instance_id === instance))
  }

  /** The machine of this host exists and does not answer. */
  isSilent(host: string): boolean {
    const stood = findResource(this.#start, 'host', host)
    return stood?.needs_recreate === true && stood.error !== ''
  }

  /** Some instance of the document is to be on it. */
  usesMachine(vm: string): boolean {
    return this.#nodes.some(({ instances }) => instances?.some(({ instance }) => instance.attributes.vm === vm))
  }

  /** The document has one node: no other one could draw its numbers. */
  get isAlone(): boolean {
    return this.#nodes.length < 2
  }

  /** It is there before the plan begins. */
  exists(node: string): boolean {
    return findActual(this.#start, 'database.node', node) !== undefined
  }

  isWanted(node: string): boolean {
    return this.#nodes.some(({ node_name }) => node_name === node)
  }

  /** Nodes that are to have what this one wrote: those that stay, and those that this plan fills from it. */
  peersOf(node: string): Members {
    const stays = ({ node_name: name }: NodeResources) => this.exists(name) || this.sourceOf(name) === node
    return this.pick(...this.#nodes.filter(stays).map(({ node_name }) => node_name))
  }

  pick(...nodes: string[]): Members {
    return Object.fromEntries(nodes.map((node) => [node, this.membersOf(node)]))
  }

  /** The node that a server, or the server on a host, is of as it is. */
  actualNodeOf({ identifier, attributes }: ResourceData): string | undefined {
    if (identifier.type !== 'host') return String(attributes.node)
    const instances = Object.values(this.#start.resources['database.instance'] ?? {})
    const on = instances.find((one) => one.attributes.host_id === identifier.id)
    return on && String(on.attributes.node)
  }

  /** The node that a new one is filled from; undefined where it starts empty or exists already. */
  sourceOf(node: string): string | undefined {
    return this.#sources.get(node)
  }

  /** What an instance is to be while it is set up, and whom it gets its data from. */
  roleOf(instance: string, node: string): { role: 'found' | 'keep' | 'copy' | 'follow' | 'restore'; source: string } {
    if (this.restoreOf(node)) return { role: this.isRestored(instance, node) ? 'restore' : 'follow', source: node }
    const back = this.#found.aside.get(node)
    if (back !== undefined) return { role: instance === back ? 'found' : 'follow', source: node }
    const whole = this.#found.restored.get(node)
    if (whole !== undefined && findActual(this.#start, 'database.node', node) === undefined) {
      return { role: instance === whole ? 'keep' : 'follow', source: node }
    }
    const source = this.sourceOf(node)
    const exists = source === undefined && findActual(this.#start, 'database.node', node) !== undefined
    const primary = exists ? this.#primaryOf(node) : this.keptOf(node)[0]?.instance
    if (primary !== instance) return { role: 'follow', source: source ?? node }
    if (exists) return { role: 'keep', source: node }
    return source === undefined ? { role: 'found', source: node } : { role: 'copy', source }
  }

  /** What the node is restored from in this plan. */
  restoreOf(node: string): Restore | undefined {
    return this.#found.pending.get(node)
  }

  /** It is the instance of a restored node that gets the data from the archive; it is set up first. */
  isRestored(instance: string, node: string): boolean {
    return this.restoreOf(node) !== undefined && this.#found.heirs.get(node) === instance
  }

  /**
   * A slot of `provider` that no record names may be of the time before `node` was restored. One of a node that comes
   * back with it is not: it was made with that.
   */
  isRestoredSince(node: string, provider: string): boolean {
    const { requests } = this.#found
    const own = requests.get(node)
    const isApart = own !== undefined && own !== requests.get(provider)
    return isApart && this.restoreOf(provider) === undefined && !this.isCopied(node)
  }

  /** Both nodes stand with the link between them, which the subscriber has read by, and neither is restored. */
  hasRead({ provider, subscriber, database }: { provider: string; subscriber: string; database: string }): boolean {
    const id = `${provider}:${subscriber}:${database}`
    const subscription = this.actual('database.subscription', id)
    const isRecorded = subscription !== undefined && subscription.attributes.disabled !== true
    const stand = [provider, subscriber].every(
      (node) => findActual(this.#start, 'database.node', node) !== undefined && this.restoreOf(node) === undefined,
    )
    return isRecorded && stand && this.actual('database.replication_slot', id) !== undefined
  }

  #primaryOf(node: string): string {
    const heir = this.membersOf(node).find(({ instance }) => this.#heirs.has(instance))
    return heir?.instance ?? String(findResource(this.#start, 'database.node', node)?.attributes.primary_instance_id)
  }

  settingsOf(node: string): Record<string, InstanceAttributes> {
    const instances = this.#nodes.find(({ node_name }) => node_name === node)?.instances ?? []
    return Object.fromEntries(
      instances.map(({ instance_id, instance }) => [instance_id, InstanceAttributes.parse(instance.attributes)]),
    )
  }

  /** Users that some server of the node has and that the document has no more. */
  goneUsers(node: string): string[] {
    const named = (all: readonly InstanceAttributes[]) =>
      all.flatMap(({ users }) => users.map(({ username }) => username))
    const stood = Object.values(this.#start.resources['database.instance'] ?? {}).map(({ attributes }) =>
      InstanceAttributes.parse(attributes),
    )
    const wanted = new Set(named(Object.values(this.settingsOf(node))))
    return [...new Set(named(stood.filter((one) => one.node === node)))].filter((user) => !wanted.has(user))
  }

  /** Commits on the node wait for a replica. */
  isSynchronous(node: string): boolean {
    return Object.values(this.settingsOf(node)).some(({ synchronous }) => synchronous)
  }

  /** Physical slots of all instances that are to stand. */
  slots(): string[] {
    return this.#nodes.flatMap(({ instances }) => (instances ?? []).map(({ instance_id }) => instanceSlot(instance_id)))
  }

  actual(type: string, id: string): ResourceData | undefined {
    return findResource(this.#start, type, id)
  }

  /** Nothing is written on it. */
  isLeft(instance: string): boolean {
    return this.#found.held.has(instance)
  }

  /** Behind this phase comes one that sets the instance up. */
  isSetUpBehind(phase: Phase, instance: string): boolean {
    return (this.#setUpIn.get(instance) ?? -1) > (this.#order.get(phase) ?? 0)
  }

  /** Logical slots of the node whose subscriptions are set up in this phase, behind its nodes, or in one behind it. */
  slotsReadBehind(phase: Phase, node: string): string[] {
    const from = this.#order.get(phase) ?? 0
    const behind = this.#subscriptions.filter(({ provider, number }) => provider === node && number >= from)
    return [...new Set(behind.map(({ slot }) => slot))]
  }

  /** It has never stood whole: no client has come to it, or may before this plan has connected it. */
  isAdded(node: string): boolean {
    const exists = findActual(this.#start, 'database.node', node) !== undefined
    return !exists || this.isCopied(node) || findActual(this.#start, 'database.roles_source', node) !== undefined
  }

  /**
   * Rows of others that the node did not get while it was away may be missed: that was accepted, or it begins with old
   * data. One that comes back as it was before a restore goes on from its places.
   */
  mayMiss(node: string): boolean {
    const exists = findActual(this.#start, 'database.node', node) !== undefined
    return this.#found.loss || (!exists && !this.isCopied(node) && !this.#found.aside.has(node))
  }

  /** A server that is made for it lets no client in. */
  isClosed(node: string): boolean {
    return this.isAdded(node) || this.#found.closed.has(node)
  }

  /** It is being filled from another node in this plan, so it takes no writes of its own before that is over. */
  isCopied(node: string): boolean {
    return this.sourceOf(node) !== undefined
  }
}
