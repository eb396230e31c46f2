/**
 * The values the database operations work on: resources, states, events and plans.
 *
 * Field names are those of the public system these operations come from (pgEdge), so that its states can be read and
 * written as they are. Everything here is read-only: an operation never changes what it was given.
 */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type JsonObject = { readonly [key: string]: Json }

/** Names one resource: `type::id` in messages. A type alias, so that it counts as JSON inside attributes. */
export type Identifier = { readonly id: string; readonly type: string }

/** Where the work on a resource is done: on a host, on the host of a node's primary, anywhere, or on a manager host. */
export interface Executor {
  readonly type: 'host' | 'primary' | 'any' | 'manager'
  readonly id: string
}

/** One resource with its wanted and observed attributes, as it is stored. */
export interface ResourceData {
  /** It was found missing, or its creation failed: it must be created again. */
  readonly needs_recreate: boolean
  readonly executor: Executor
  readonly identifier: Identifier
  readonly attributes: JsonObject
  readonly dependencies: readonly Identifier[] | null
  /** It rests on every resource of these types. */
  readonly type_dependencies: readonly string[] | null
  /** JSON pointers of observed attributes, left out of a comparison. */
  readonly diff_ignore: readonly string[] | null
  readonly resource_version: string
  /** A later plan of the same operation deletes it, so no earlier plan touches it. */
  readonly pending_deletion: boolean
  /** What the last attempt failed with; empty when it succeeded. */
  readonly error: string
}

export type Resources = Readonly<Record<string, Readonly<Record<string, ResourceData>>>>

/** All resources of one database: type -> id -> resource. */
export interface State {
  readonly version: string
  readonly resources: Resources
}

/** The version of the state's format that these operations read and write. */
const STATE_VERSION = '1.2.0'

export type Reason =
  | 'does_not_exist'
  | 'needs_recreate'
  | 'has_error'
  | 'force_update'
  | 'dependency_updated'
  | 'has_diff'

/** One step of an RFC 6902 patch. */
export interface PatchStep {
  readonly op: 'add' | 'remove' | 'replace'
  readonly path: string
  readonly value?: Json
}

export interface Event {
  readonly type: 'refresh' | 'create' | 'update' | 'delete'
  /** The state afterwards; for a delete and a refresh the present one. */
  readonly resource: ResourceData
  readonly reason?: Reason
  readonly diff?: readonly PatchStep[]
}

/** Events of one phase may run at the same time. */
export type Phase = readonly Event[]

/** Phases in order, under a name that says to a person what the plan is for. */
export interface NamedPlan {
  readonly name: string
  readonly phases: readonly Phase[]
}

/** `type::id`, the form used in messages and summaries. */
export function nameOf(identifier: Identifier): string {
  return `${identifier.type}::${identifier.id}`
}

/** All resources of a state, in the order of its keys. */
export function resourcesOf(state: State): ResourceData[] {
  const found: ResourceData[] = []
  for (const byId of Object.values(state.resources)) for (const resource of Object.values(byId)) found.push(resource)
  return found
}

/** The resource of that type and id, whatever its flags say. */
export function findResource(state: State, type: string, id: string): ResourceData | undefined {
  if (!Object.hasOwn(state.resources, type)) return undefined
  const byId = state.resources[type]!
  return Object.hasOwn(byId, id) ? byId[id] : undefined
}

/** The resource, unless it has to be created again first: then it does not stand. */
export function findActual(state: State, type: string, id: string): ResourceData | undefined {
  const resource = findResource(state, type, id)
  return resource?.needs_recreate ? undefined : resource
}

/** A state of these resources; of two with the same identifier the later one stays. */
export function stateOf(resources: Iterable<ResourceData>): State {
  const byType = new Map<string, Map<string, ResourceData>>()
  for (const resource of resources) {
    const { type, id } = resource.identifier
    let byId = byType.get(type)
    if (byId === undefined) {
      byId = new Map()
      byType.set(type, byId)
    }
    byId.set(id, resource)
  }
  // fromEntries defines properties instead of assigning them: an id such as `__proto__` stays an id.
  const resourcesByType = Object.fromEntries([...byType].map(([type, byId]) => [type, Object.fromEntries(byId)]))
  return { version: STATE_VERSION, resources: resourcesByType }
}

/** The state after these events, as the planner intends them; shares what they do not touch with the given one. */
export function afterEvents(state: State, events: Iterable<Event>): State {
  const touched = new Map<string, Map<string, ResourceData>>()
  for (const { type: kind, resource } of events) {
    const { type, id } = resource.identifier
    let byId = touched.get(type)
    if (byId === undefined) {
      byId = new Map(Object.entries(Object.hasOwn(state.resources, type) ? state.resources[type]! : {}))
      touched.set(type, byId)
    }
    if (kind === 'delete') byId.delete(id)
    else byId.set(id, resource)
  }
  const byType = new Map(Object.entries(state.resources))
  for (const [type, byId] of touched) {
    if (byId.size === 0) byType.delete(type)
    else byType.set(type, Object.fromEntries(byId))
  }
  return { ...state, resources: Object.fromEntries(byType) }
}
