import {
  EndState,
  type InstanceResources,
  type NodeResources,
  type ResourceData,
  type State,
} from '../../kinds/database/plan/operations/operations.ts'

/** A database of `count` nodes with three instances each and three orchestrator resources per instance. */
export function fleetOf(count: number, change: { dependency?: boolean } = {}): NodeResources[] {
  return Array.from({ length: count }, (_, index) => nodeOf(index + 1, change.dependency ?? false))
}

/** The state when that database is up and every node's first instance takes writes, as it is read from a store. */
export function actualOf(nodes: readonly NodeResources[]): State {
  const { resources, ...state } = EndState(nodes)
  const led = Object.entries(resources['database.node'] ?? {}).map(([id, node]) => {
    const attributes = { ...node.attributes, primary_instance_id: `${id}-instance-1` }
    return [id, { ...node, attributes }]
  })
  const actual = { ...state, resources: { ...resources, 'database.node': Object.fromEntries(led) } }
  return JSON.parse(JSON.stringify(actual)) as State
}

function nodeOf(number: number, withDependency: boolean): NodeResources {
  const name = `n${number}`
  return {
    database_id: 'bench',
    database_owner: 'admin',
    database_name: 'app',
    node_name: name,
    source_node: '',
    primary_instance_id: `${name}-instance-1`,
    instances: [1, 2, 3].map((index) => instanceOf(name, index, withDependency)),
    restore_config: null,
    scripts: null,
  }
}

function instanceOf(node: string, index: number, withDependency: boolean): InstanceResources {
  const id = `${node}-instance-${index}`
  const host = `host-${index}-of-${node}`
  const names = ['data', 'config', 'server', ...(withDependency ? ['added'] : [])].map((part) => `${id}-${part}`)
  const dependencies = names.map((name) => resource('orchestrator.resource', name, { property: name }, []))
  const below = dependencies.map(({ identifier }) => identifier)
  return {
    instance_id: id,
    host_id: host,
    node_name: node,
    database_id: 'bench',
    database_name: 'app',
    instance: {
      ...resource('database.instance', id, { spec: { instance_id: id, host_id: host }, dependencies: below }, below),
      executor: { type: 'host', id: host },
    },
    instance_dependencies: dependencies,
    database_dependencies: [],
    node_dependents: [],
  }
}

function resource(
  type: string,
  id: string,
  attributes: ResourceData['attributes'],
  dependencies: ResourceData['dependencies'],
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
