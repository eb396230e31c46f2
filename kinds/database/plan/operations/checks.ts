import { type Fault, RemodelError } from '../../../../shared/runtime/errors.ts'
import type { FaultClass } from './faults.ts'
import type { InstanceResources, NodeResources } from './node.ts'
import { findActual, type State } from './resource.ts'
import type { NodeRestoreResources } from './restore-database.ts'

/** What is known beyond the nodes themselves. */
export interface CheckRules {
  /** All hosts there are; absent: not checked. */
  readonly hosts?: readonly string[]
  /** Also what the reference lets pass: names, two instances of a node on one host, sources of existing nodes. */
  readonly careful?: boolean
}

interface Found extends Fault {
  errorClass: FaultClass
}

const nodeName = /^n[0-9]+$/
const databaseName = /^[A-Za-z_][A-Za-z0-9_$-]{0,30}$/

/** Refuses wrong nodes before anything is planned, all faults at once; the class is that of the first. */
export function checkUpdate(start: State, nodes: readonly NodeResources[], rules: CheckRules): void {
  const added = new Set(
    nodes.filter((node) => findActual(start, 'database.node', node.node_name) === undefined).map((n) => n.node_name),
  )
  refuse([
    ...duplicateNodes(nodes, 'nodes'),
    ...nodes.flatMap((node, index) => [
      ...wrongInstances(node.instances ?? [], `nodes[${index}].instances`, node.node_name, rules),
      ...wrongSource(node, `nodes[${index}]`, { start, added }, rules),
      ...(rules.careful ? wrongNames(node, `nodes[${index}]`) : []),
    ]),
    ...(rules.careful ? duplicateInstances(nodes) : []),
  ])
}

/** Refuses nodes that are restored and kept at the same time, or named twice. */
export function checkRestore(nodes: readonly NodeResources[], targets: readonly NodeRestoreResources[]): void {
  const kept = new Set(nodes.map(({ node_name }) => node_name))
  refuse([
    ...duplicateNodes(nodes, 'nodes'),
    ...duplicateNodes(targets, 'targets'),
    ...targets.flatMap((target, index): Found[] =>
      kept.has(target.node_name)
        ? [
            {
              errorClass: 'target_also_updated',
              path: `targets[${index}].node_name`,
              message: `node ${target.node_name} is to be restored, so it cannot also be updated: take it out of nodes`,
            },
          ]
        : [],
    ),
  ])
}

function refuse(found: readonly Found[]): void {
  const [first] = found
  if (first === undefined) return
  const faults = found.map(({ errorClass: _class, ...fault }) => fault)
  throw new RemodelError('invalid-input', first.message, { faults, details: { error_class: first.errorClass } })
}

function duplicateNodes(nodes: readonly { node_name: string }[], list: string): Found[] {
  const seen = new Set<string>()
  return nodes.flatMap(({ node_name }, index): Found[] => {
    const twice = seen.has(node_name)
    seen.add(node_name)
    if (!twice) return []
    const path = `${list}[${index}].node_name`
    return [{ errorClass: 'duplicate_node', path, message: `node ${node_name} is named twice` }]
  })
}

function duplicateInstances(nodes: readonly NodeResources[]): Found[] {
  const seen = new Map<string, string>()
  return nodes.flatMap((node, at) =>
    (node.instances ?? []).flatMap(({ instance_id }, index): Found[] => {
      const before = seen.get(instance_id)
      seen.set(instance_id, before ?? node.node_name)
      if (before === undefined) return []
      const path = `nodes[${at}].instances[${index}].instance_id`
      const message = `instance ${instance_id} of node ${node.node_name} is already an instance of node ${before}`
      return [{ errorClass: 'duplicate_instance', path, message }]
    }),
  )
}

function wrongInstances(
  instances: readonly InstanceResources[],
  path: string,
  node: string,
  { hosts, careful }: CheckRules,
): Found[] {
  const seen = new Set<string>()
  return instances.flatMap(({ host_id }, index): Found[] => {
    const at = `${path}[${index}].host_id`
    const twice = seen.has(host_id)
    seen.add(host_id)
    if (hosts !== undefined && !hosts.includes(host_id)) {
      const allowed = hosts.join(', ')
      return [
        {
          errorClass: 'unknown_host',
          path: at,
          message: `node ${node}: there is no host ${host_id}`,
          found: host_id,
          allowed,
        },
      ]
    }
    if (!twice || !careful) return []
    return [
      { errorClass: 'duplicate_host', path: at, message: `node ${node} has more than one instance on host ${host_id}` },
    ]
  })
}

function wrongSource(
  node: NodeResources,
  path: string,
  { start, added }: { start: State; added: ReadonlySet<string> },
  { careful }: CheckRules,
): Found[] {
  const { node_name, source_node, restore_config } = node
  if (source_node === '') return []
  const wrong = (message: string, allowed?: string): Found[] => [
    {
      errorClass: 'invalid_source_node',
      path: `${path}.source_node`,
      message: `invalid source node: ${message}`,
      found: source_node,
      ...(allowed === undefined ? {} : { allowed }),
    },
  ]
  if (restore_config !== null) return wrong(`node ${node_name} has both a source node and a restore config: choose one`)
  if (source_node === node_name && (careful || added.has(node_name))) return wrong(`node ${node_name} names itself`)
  // An existing node has its data: where it came from once does not matter any more.
  if (!added.has(node_name)) return []
  if (findActual(start, 'database.node', source_node) !== undefined) return []
  const actual = Object.keys(start.resources['database.node'] ?? {}).sort()
  const allowed = actual.join(', ') || 'none: no node stands'
  if (added.has(source_node)) return wrong(`new nodes ${source_node} cannot be used as source nodes`, allowed)
  return wrong(`node ${node_name} names ${source_node}, which does not exist`, allowed)
}

function wrongNames(node: NodeResources, path: string): Found[] {
  const found: Found[] = []
  const wrong = (field: 'node_name' | 'database_name', allowed: string) =>
    found.push({
      errorClass: 'invalid_name',
      path: `${path}.${field}`,
      message: `${field} ${JSON.stringify(node[field])} is not a valid name`,
      found: node[field],
      allowed,
    })
  if (!nodeName.test(node.node_name)) wrong('node_name', 'n followed by digits')
  if (!databaseName.test(node.database_name)) {
    wrong('database_name', '1 to 31 letters, digits, _, $ and -, the first a letter or _')
  }
  return found
}
