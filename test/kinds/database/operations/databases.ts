import fc from 'fast-check'
import {
  type Event,
  EventApply,
  type Identifier,
  type InstanceResources,
  type NamedPlan,
  type NodeResources,
  nameOf,
  type ResourceData,
  resourcesOf,
  type ServiceResources,
  type State,
  stateOf,
  UpdateDatabase,
} from '../../../../kinds/database/plan/operations/operations.ts'

export const empty: State = { version: '1.2.0', resources: {} }

/** A small database in a few words; `setting` is what an update changes. */
export interface Shape {
  nodes: { name: string; instances: { number: number; setting: number; extra: boolean }[]; source?: string }[]
  /** Instances bring what the database rests on, and what rests on the node. */
  rich: boolean
  service: boolean
}

export function nodesOf({ nodes, rich }: Shape): NodeResources[] {
  return nodes.map(({ name, instances, source }) => ({
    database_id: 'db',
    database_owner: 'admin',
    database_name: 'app',
    node_name: name,
    source_node: source ?? '',
    primary_instance_id: `${name}-i${instances[0]?.number}`,
    instances: instances.map((one) => instanceOf(name, one, rich)),
    restore_config: null,
    scripts: null,
  }))
}

export function servicesOf({ service }: Shape): ServiceResources[] {
  if (!service) return []
  const network = resource('swarm.network', 'net', {}, [])
  const instance = resource('swarm.service_instance', 'svc', {}, [network.identifier])
  const monitor = resource('monitor.service_instance', 'svc', {}, [instance.identifier])
  return [{ service_instance_id: 'svc', resources: [network, instance], monitor_resource: monitor }]
}

function instanceOf(
  node: string,
  { number, setting, extra }: Shape['nodes'][number]['instances'][number],
  rich: boolean,
): InstanceResources {
  const id = `${node}-i${number}`
  const config = resource('orchestrator.config', id, { setting }, [])
  const added = extra ? [resource('orchestrator.extra', id, {}, [config.identifier])] : []
  const below = [config, ...added].map(({ identifier }) => identifier)
  const host = { type: 'host' as const, id: `host-${number}` }
  const instance: ResourceData = {
    ...resource('database.instance', id, { setting, dependencies: below, connection_info: null }, below),
    executor: host,
    diff_ignore: ['/connection_info'],
  }
  const service = { ...resource('common.pg_service_conf', id, {}, []), type_dependencies: ['database.node'] }
  return {
    instance_id: id,
    host_id: host.id,
    node_name: node,
    database_id: 'db',
    database_name: 'app',
    instance,
    instance_dependencies: [config, ...added],
    database_dependencies: rich ? [service] : [],
    node_dependents: rich ? [resource('scheduler.job', id, {}, [{ type: 'database.node', id: node }])] : null,
  }
}

export function resource(
  type: string,
  id: string,
  attributes: ResourceData['attributes'],
  dependencies: readonly Identifier[],
): ResourceData {
  return {
    needs_recreate: false,
    executor: { type: 'any', id: '' },
    identifier: { id, type },
    attributes,
    dependencies,
    type_dependencies: null,
    diff_ignore: null,
    resource_version: '1',
    pending_deletion: false,
    error: '',
  }
}

/** A world the plans are carried out in: what works on a resource also finds out what only the world knows. */
export class World {
  readonly resources: Map<string, ResourceData>

  constructor(state: State) {
    this.resources = new Map(resourcesOf(state).map((one) => [nameOf(one.identifier), one]))
  }

  get state(): State {
    return stateOf(this.resources.values())
  }

  apply(event: Event): void {
    const name = nameOf(event.resource.identifier)
    const after = EventApply(event, { attributes: this.#observe(event.resource) })
    if (event.type === 'delete') this.resources.delete(name)
    else this.resources.set(name, after)
    if (event.resource.identifier.type === 'database.switchover') this.#lead(event.resource)
  }

  run(plans: readonly NamedPlan[]): this {
    for (const event of plans.flatMap(({ phases }) => phases.flat())) this.apply(event)
    return this
  }

  #observe(resource: ResourceData): ResourceData['attributes'] {
    if (resource.identifier.type === 'database.instance') return { ...resource.attributes, connection_info: 'known' }
    if (resource.identifier.type !== 'database.node') return resource.attributes
    const before = this.resources.get(nameOf(resource.identifier))?.attributes.primary_instance_id
    const [first] = resource.attributes.instance_ids as string[]
    return { ...resource.attributes, primary_instance_id: before || first! }
  }

  #lead({ attributes }: ResourceData): void {
    const id = attributes.instance_id as string
    for (const [name, node] of this.resources) {
      if (node.identifier.type !== 'database.node') continue
      if (!(node.attributes.instance_ids as string[]).includes(id)) continue
      this.resources.set(name, { ...node, attributes: { ...node.attributes, primary_instance_id: id } })
    }
  }
}

/** The state after this database was built from nothing. */
export function built(shape: Shape): State {
  return new World(empty).run(UpdateDatabase({}, empty, nodesOf(shape), servicesOf(shape))).state
}

/** With another instance than the first taking writes, where a node has one. */
export function withPrimary(state: State, pick: number): State {
  return stateOf(
    resourcesOf(state).map((one) => {
      if (one.identifier.type !== 'database.node') return one
      const ids = one.attributes.instance_ids as string[]
      return { ...one, attributes: { ...one.attributes, primary_instance_id: ids[pick % ids.length]! } }
    }),
  )
}

const instances = fc.uniqueArray(
  fc.record({ number: fc.integer({ min: 1, max: 4 }), setting: fc.integer({ min: 0, max: 2 }), extra: fc.boolean() }),
  { minLength: 1, maxLength: 3, selector: ({ number }) => number },
)
export const shapes: fc.Arbitrary<Shape> = fc.record({
  nodes: fc.uniqueArray(fc.record({ name: fc.constantFrom('n1', 'n2', 'n3', 'n4'), instances }), {
    minLength: 1,
    maxLength: 4,
    selector: ({ name }) => name,
  }),
  rich: fc.boolean(),
  service: fc.boolean(),
})

/** Two databases of which at least one node stays, and every node that stays keeps an instance. */
export const changes: fc.Arbitrary<{ from: Shape; to: Shape; pick: number }> = fc
  .record({ from: shapes, to: shapes, pick: fc.nat(3) })
  .filter(({ from, to }) => {
    const staying = to.nodes.flatMap((node) => {
      const before = from.nodes.find(({ name }) => name === node.name)
      return before === undefined ? [] : [{ node, before }]
    })
    const shares = staying.every(({ node, before }) =>
      node.instances.some(({ number }) => before.instances.some((one) => one.number === number)),
    )
    return staying.length > 0 && shares
  })

export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const inner of Object.values(value)) frozen(inner)
  return value
}
