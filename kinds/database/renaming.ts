import { type ActualMaterial, type Attributes, materialName, materialType } from '../../shared/model/material.ts'
import { restoredType } from './inputs.ts'

/** A node that goes on under another name, with its servers and their data. */
export interface Renaming {
  from: string
  to: string
}

type Json = Attributes[string]

/** Attributes whose text is the name of a node. */
const nodeKeys: ReadonlySet<string> = new Set([
  ...['node', 'node_name', 'provider_node', 'subscriber_node', 'origin_node', 'receiver_node', 'peer_node'],
  ...['source_node', 'source_node_name'],
])
/** Attributes that name instances. */
const instanceKeys: ReadonlySet<string> = new Set(['instance_id', 'instance_ids', 'primary_instance_id', 'primary'])
/** Attributes that name resources. */
const resourceKeys: ReadonlySet<string> = new Set(['extra_dependencies', 'dependent_resources'])

/** Values of the document are never looked into: a user or a setting may have the name of a node. */
export function renamedMaterial(material: ActualMaterial, renaming: Renaming): ActualMaterial {
  const type = materialType(material.id)
  const own = renamedAttributes(material.attributes, renaming)
  const attributes = type === 'node' ? { ...own, name: renamedName(String(own.name), renaming) } : own
  const { resource, commits, seen } = material.meta
  const meta = {
    ...material.meta,
    ...(isObject(resource) ? { resource: renamedResource(resource, renaming) } : {}),
    ...(isObject(commits) ? { commits: { ...commits, of: renamedInstances(commits.of ?? null, renaming) } } : {}),
    ...(isObject(seen) ? { seen: renamedKeys(seen, renaming) } : {}),
  }
  const needs = material.needs.map((id) => renamedMaterialId(id, renaming))
  return { id: renamedMaterialId(material.id, renaming), attributes, needs, meta }
}

/** The same where the material is not of the node. */
export function renamedMaterialId(id: string, renaming: Renaming): string {
  const type = materialType(id)
  return type === 'host' ? id : `${type}/${renamedId(materialName(id), renaming)}`
}

/** What a plan of a node's new name takes over. */
export function isOfNode({ id, meta }: ActualMaterial, renaming: Renaming): boolean {
  const known = meta.resource !== undefined || materialType(id) === restoredType
  return known && renamedMaterialId(id, renaming) !== id
}

/**
 * `n1`, `n1-a`, `n1:n2:shop`: a node, an instance, what lies between nodes. No name of a node holds a dash or a colon.
 */
function renamedId(id: string, renaming: Renaming): string {
  if (id.includes(':')) {
    const parts = id.split(':')
    return parts.map((part, at) => (at === parts.length - 1 ? part : renamedName(part, renaming))).join(':')
  }
  return renamedInstance(renamedName(id, renaming), renaming)
}

const renamedName = (name: string, { from, to }: Renaming) => (name === from ? to : name)
const renamedInstance = (id: string, { from, to }: Renaming) =>
  id.startsWith(`${from}-`) ? `${to}${id.slice(from.length)}` : id

function renamedAttributes(attributes: Attributes, renaming: Renaming): Attributes {
  const entries = Object.entries(attributes).map(([key, value]): [string, Json] => {
    if (nodeKeys.has(key) && typeof value === 'string') return [key, renamedName(value, renaming)]
    if (instanceKeys.has(key)) return [key, renamedInstances(value, renaming)]
    if (resourceKeys.has(key)) return [key, renamedIdentifiers(value, renaming)]
    return [key, value]
  })
  return Object.fromEntries(entries)
}

function renamedInstances(value: Json, renaming: Renaming): Json {
  if (typeof value === 'string') return renamedInstance(value, renaming)
  return Array.isArray(value) ? value.map((one) => renamedInstances(one, renaming)) : value
}

function renamedKeys(value: { readonly [key: string]: Json }, renaming: Renaming): Json {
  return Object.fromEntries(Object.entries(value).map(([key, of]) => [renamedInstance(key, renaming), of]))
}

function renamedIdentifiers(value: Json, renaming: Renaming): Json {
  if (Array.isArray(value)) return value.map((one) => renamedIdentifiers(one, renaming))
  if (!isObject(value) || value.type === 'host') return value
  return { ...value, id: renamedId(String(value.id), renaming) }
}

function renamedResource(resource: { readonly [key: string]: Json }, renaming: Renaming): Json {
  const { executor, identifier, dependencies } = resource
  const nodes = isObject(executor) && executor.type === 'primary'
  return {
    ...resource,
    ...(nodes ? { executor: { ...executor, id: renamedName(String(executor.id), renaming) } } : {}),
    identifier: renamedIdentifiers(identifier ?? null, renaming),
    dependencies: renamedIdentifiers(dependencies ?? null, renaming),
  }
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
