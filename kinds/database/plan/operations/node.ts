import { instanceMonitor, node, postgresDatabase, siteOf } from './catalogue.ts'
import type { Identifier, JsonObject, ResourceData } from './resource.ts'

/** One PostgreSQL server of a node, with what the orchestrator brings for it. */
export interface InstanceResources {
  readonly instance_id: string
  readonly host_id: string
  readonly node_name: string
  readonly database_id: string
  readonly database_name: string
  /** The `database.instance` itself. */
  readonly instance: ResourceData
  /** What the instance rests on: directories, configuration, the server. */
  readonly instance_dependencies: readonly ResourceData[] | null
  /** What the database in it rests on. */
  readonly database_dependencies: readonly ResourceData[] | null
  /** What rests on the node: backup jobs and the like. */
  readonly node_dependents: readonly ResourceData[] | null
}

export interface RestoreConfig extends JsonObject {
  readonly source_database_name: string
}

/** One node of the database as it should stand: an instance that takes writes and its read replicas. */
export interface NodeResources {
  readonly database_id: string
  readonly database_owner: string
  readonly database_name: string
  readonly node_name: string
  /** For a new node: the existing node whose data it starts with. */
  readonly source_node: string
  /** Which instance takes writes now. `UpdateDatabase` reads it from the start state instead. */
  readonly primary_instance_id: string
  /** In the order of the spec: the first becomes the primary of a new node. */
  readonly instances: readonly InstanceResources[] | null
  readonly restore_config: RestoreConfig | null
  /** Of PostgreSQL, to be made in the database; not of the reference. */
  readonly extensions?: readonly string[]
  readonly scripts: { readonly post_database_create?: JsonObject } | null
}

/** A service beside the database. */
export interface ServiceResources {
  readonly service_instance_id: string
  readonly resources: readonly ResourceData[] | null
  readonly monitor_resource: ResourceData | null
}

/** The instance and what it rests on. */
export function instanceState(of: InstanceResources): ResourceData[] {
  return [...(of.instance_dependencies ?? []), of.instance]
}

/** The node and what rests on it. */
export function nodeState(of: NodeResources): ResourceData[] {
  const instances = of.instances ?? []
  const ids = instances.map(({ instance_id }) => instance_id)
  return [...instances.flatMap(({ node_dependents }) => node_dependents ?? []), node(of.node_name, ids)]
}

/** The database on the node, what it rests on, and the monitors of the instances. */
export function databaseState(of: NodeResources): ResourceData[] {
  const state: ResourceData[] = []
  const extra: Identifier[] = []
  for (const instance of of.instances ?? []) {
    state.push(instanceMonitor(instance))
    for (const dependency of instance.database_dependencies ?? []) {
      state.push(dependency)
      extra.push(dependency.identifier)
    }
  }
  const script = of.scripts?.post_database_create
  state.push(
    postgresDatabase(siteOf(of.node_name, of.database_name), extra, {
      database_id: of.database_id,
      owner: of.database_owner,
      rename_from: of.restore_config?.source_database_name ?? '',
      has_restore_config: of.restore_config !== null,
      ...(script === undefined ? {} : { post_database_create: script }),
      ...(of.extensions === undefined ? {} : { extensions: of.extensions }),
    }),
  )
  return state
}
