import { z } from 'zod'
import type { NodeResources, ServiceResources } from './node.ts'
import type { ResourceData, Resources, State } from './resource.ts'
import { type Wrong, wrongResource, wrongResources } from './resource-shape.ts'
import type { NodeRestoreResources } from './restore-database.ts'

/**
 * The inputs of the functions as JSON. Lists and records may be null, as the reference writes empty ones. Unknown
 * fields pass: an orchestrator may carry more than the planner reads.
 */
const json = z.record(z.string(), z.json())
const list = <T extends z.ZodType>(of: T) => z.array(of).nullable()

/** A value taken as it is, not copied, once nothing is found wrong with it. */
function checked<T>(find: (value: unknown) => Wrong[]): z.ZodType<T> {
  return z.unknown().superRefine((value, context) => {
    for (const { path, message } of find(value)) context.addIssue({ code: 'custom', path: [...path], message })
  }) as unknown as z.ZodType<T>
}

const resource = checked<ResourceData>(wrongResource)

const state = z
  .looseObject({ version: z.string(), resources: checked<Resources>((value) => wrongResources(value ?? {})) })
  .transform(({ resources, ...given }): State => ({ ...given, resources: resources ?? {} }))
  .superRefine(({ version }, context) => {
    if (/^1\.[0-2]\.[0-9]+$/.test(version)) return
    context.addIssue({ code: 'custom', path: ['version'], message: `state version ${version} is newer than 1.2` })
  })

const instance = z.looseObject({
  instance_id: z.string().min(1),
  host_id: z.string(),
  node_name: z.string(),
  database_id: z.string(),
  database_name: z.string(),
  instance: resource,
  instance_dependencies: list(resource),
  database_dependencies: list(resource),
  node_dependents: list(resource),
})
const restoreConfig = z.looseObject({ source_database_name: z.string() }).nullable()
const named = {
  database_id: z.string(),
  database_owner: z.string(),
  database_name: z.string(),
  node_name: z.string().min(1),
}

/** A node, as the functions take it. */
export const node = z.looseObject({
  ...named,
  source_node: z.string().default(''),
  primary_instance_id: z.string().default(''),
  instances: list(instance),
  restore_config: restoreConfig.default(null),
  scripts: z.looseObject({ post_database_create: json.optional() }).nullable().default(null),
}) as unknown as z.ZodType<NodeResources>

const target = z.looseObject({
  ...named,
  primary_instance: instance,
  restore_instance: instance,
  replica_instances: list(instance),
  restore_config: restoreConfig.default(null),
}) as unknown as z.ZodType<NodeRestoreResources>

const service = z.looseObject({
  service_instance_id: z.string(),
  resources: list(resource),
  monitor_resource: resource.nullable(),
}) as unknown as z.ZodType<ServiceResources>

const many = <T>(of: z.ZodType<T>) =>
  z
    .array(of)
    .nullish()
    .transform((given) => given ?? [])
const planOptions = z.strictObject({ force_update: z.boolean().default(false) })

/** What each function is given. */
export const inputs = {
  AddNode: z.object({ node }),
  AddNodes: z.object({ nodes: many(node) }),
  UpdateNode: z.object({ start: state, node }),
  RollingUpdateNodes: z.object({ start: state, nodes: many(node) }),
  ConcurrentUpdateNodes: z.object({ start: state, nodes: many(node) }),
  PopulateNode: z.object({ node, existing_node_names: many(z.string()) }),
  PopulateNodes: z.object({ existing: many(node), new: many(node) }),
  EndState: z.object({ nodes: many(node), services: many(service) }),
  RestoreNode: z.object({ node: target }),
  UpdateDatabase: z.object({
    options: z
      .strictObject({
        node_update_strategy: z.string().default(''),
        plan_options: planOptions.default({ force_update: false }),
        data_loss: z.boolean().default(false),
        careful: z.boolean().default(false),
        hosts: z.array(z.string()).optional(),
      })
      .prefault({}),
    start: state,
    nodes: many(node),
    services: many(service),
  }),
  RestoreDatabase: z.object({ start: state, nodes: many(node), targets: many(target) }),
  Plan: z.object({ current: state, desired: state, plan_options: planOptions.default({ force_update: false }) }),
  PlanRefresh: z.object({ current: state }),
  EventApply: z.object({
    event: z.looseObject({ type: z.enum(['refresh', 'create', 'update', 'delete']), resource }),
    lifecycle: z.object({ returns_error: z.string().default(''), returns_not_found: z.boolean().default(false) }),
  }),
  JSONDiff: z.object({ current: z.json(), desired: z.json(), ignore: list(z.string()).optional() }),
  VariableFromContext: z.object({ variables: json.nullish(), name: z.string(), want_type: z.string() }),
  resolveTargetSessionAttrs: z.object({
    service_spec: z.looseObject({
      service_type: z.string(),
      config: json.nullish(),
      database_connection: z.looseObject({ target_session_attrs: z.string().nullish() }).nullish(),
    }),
  }),
}

export type FunctionName = keyof typeof inputs
export type InputOf<Name extends FunctionName> = z.output<(typeof inputs)[Name]>
