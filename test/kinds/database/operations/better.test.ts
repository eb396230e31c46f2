import { describe, expect, test } from 'vitest'
import {
  describePlans,
  faultClass,
  type NamedPlan,
  type NodeRestoreResources,
  nameOf,
  progressOf,
  type ResourceData,
  RestoreDatabase,
  resourcesOf,
  type State,
  stateOf,
  UpdateDatabase,
  type UpdateDatabaseOptions,
} from '../../../../kinds/database/plan/operations/operations.ts'
import { RemodelError } from '../../../../shared/runtime/errors.ts'
import { built, nodesOf, type Shape, World } from './databases.ts'

/** Where the reference is known to be wrong (docs/use/databases.md), and what is refused before anything is planned. */

function database(nodes: Record<string, number[]>, setting = 0): Shape {
  const named = Object.entries(nodes).map(([name, hosts]) => ({
    name,
    instances: hosts.map((number) => ({ number, setting, extra: false })),
  }))
  return { nodes: named, rich: false, service: false }
}

function lose(state: State, ...names: string[]): State {
  return changed(state, names, { needs_recreate: true })
}

function changed(state: State, names: readonly string[], by: Partial<ResourceData>): State {
  const hit = resourcesOf(state).filter(({ identifier }) => names.includes(nameOf(identifier)))
  expect(hit).toHaveLength(names.length)
  return stateOf(resourcesOf(state).map((one) => (hit.includes(one) ? { ...one, ...by } : one)))
}

function update(start: State, to: Shape, options: UpdateDatabaseOptions = {}): NamedPlan[] {
  return UpdateDatabase(options, start, nodesOf(to))
}

function refusal(plan: () => unknown): RemodelError {
  try {
    plan()
  } catch (error) {
    if (error instanceof RemodelError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

const idsOf = ({ phases }: NamedPlan) =>
  phases.flat().map(({ type, resource }) => `${type} ${nameOf(resource.identifier)}`)
const two = database({ n1: [1, 2], n2: [1, 2] })

describe('a lost resource', () => {
  test('of any node and kind is brought back first, and the update goes on', () => {
    const names = resourcesOf(built(two)).map(({ identifier }) => nameOf(identifier))
    for (const name of names.filter((one) => !one.startsWith('database.node::'))) {
      const start = lose(built(two), name)
      const plans = update(start, database({ n1: [1, 2], n2: [1, 2] }, 1))
      const creates = plans.flatMap(idsOf).filter((one) => one === `create ${name}`)
      expect(creates, name).toHaveLength(1)
      const after = resourcesOf(new World(start).run(plans).state)
      expect(after.filter(({ needs_recreate }) => needs_recreate)).toEqual([])
    }
  })

  test('comes back as primary before the replicas that copy it', () => {
    const start = lose(built(two), 'database.instance::n2-i1', 'database.instance::n2-i2')
    const plans = update(start, two)
    expect(plans.map(({ name }) => name)).toEqual(['bring back lost primaries', 'bring back what is lost'])
    expect(idsOf(plans[0]!)).toContain('create database.instance::n2-i1')
    expect(idsOf(plans[1]!)).toContain('create database.instance::n2-i2')
  })

  test('does not hide a dependency that is not there', () => {
    const start = lose(built(two), 'database.instance::n2-i1')
    const nodes = nodesOf(two).map((node) => ({
      ...node,
      instances: node.instances!.map((one) => ({
        ...one,
        instance: { ...one.instance, dependencies: [{ type: 'orchestrator.config', id: 'nowhere' }] },
      })),
    }))
    expect(faultClass(refusal(() => UpdateDatabase({}, start, nodes)))).toBe('missing_dependency')
  })
})

describe('a forced update', () => {
  test('when careful, keeps to one node at a time and still touches everything once it is asked for', () => {
    const start = built(two)
    const plans = update(start, two, { careful: true, plan_options: { force_update: true } })
    const touched = new Set(plans.flatMap(idsOf))
    for (const { identifier } of resourcesOf(start)) expect(touched).toContain(`update ${nameOf(identifier)}`)
    const perPlan = plans.map((plan) => idsOf(plan).filter((one) => one.includes('database.instance::')))
    expect(perPlan.filter((one) => one.length > 0)).toEqual([
      ['update database.instance::n1-i2'],
      ['update database.instance::n1-i1'],
      ['update database.instance::n2-i2'],
      ['update database.instance::n2-i1'],
    ])
  })
})

describe('what failed before', () => {
  test('when careful, is tried once', () => {
    const start = changed(built(two), ['database.instance::n2-i2'], { error: 'boom' })
    const tries = (options: UpdateDatabaseOptions) =>
      update(start, two, options)
        .flatMap(idsOf)
        .filter((one) => one === 'update database.instance::n2-i2').length
    expect(tries({ careful: true })).toBe(1)
    expect(tries({})).toBeGreaterThan(1)
  })
})

describe('another resource version', () => {
  test('when careful, is an update', () => {
    const start = changed(built(two), ['database.postgres_database::n1:app'], { resource_version: '0' })
    expect(update(start, two)).toEqual([])
    expect(update(start, two, { careful: true }).flatMap(idsOf)).toContain('update database.postgres_database::n1:app')
  })
})

describe('two nodes added at once', () => {
  test('when careful, both have their slot on a peer before the mark is sent that both wait for', () => {
    const grown = database({ n1: [1], n2: [1], n3: [1], n4: [1] })
    const mark = update(built(database({ n1: [1], n2: [1] })), grown, { careful: true })
      .flatMap(({ phases }) => phases.flat())
      .find(
        ({ type, resource }) => type === 'create' && nameOf(resource.identifier) === 'database.sync_event::n2:n1:app',
      )
    expect(mark?.resource.dependencies?.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['spk_app_n2_sub_n2_n3', 'spk_app_n2_sub_n2_n4']),
    )
  })
})

describe('replacing every node', () => {
  const start = built(database({ n1: [1] }))

  test('is refused where the new ones would start empty, with the nodes named', () => {
    const error = refusal(() => update(start, database({ n2: [1] })))
    expect(faultClass(error)).toBe('data_loss')
    expect(error.details).toMatchObject({ removed: ['n1'], empty: ['n2'] })
  })

  test('is planned with a source, which is taken away last', () => {
    const to = { ...database({ n2: [1] }), nodes: [{ ...database({ n2: [1] }).nodes[0]!, source: 'n1' }] }
    const plans = update(start, to)
    expect(plans.map(({ name }) => name)).toEqual([
      'copy roles: n2 from n1',
      'add n2: primary',
      'populate n2 from n1',
      'connect the nodes, remove n1'.replace('connect the nodes, ', ''),
    ])
    expect(idsOf(plans.at(-1)!)).toContain('delete database.node::n1')
  })

  test('is planned when the loss is allowed', () => {
    expect(update(start, database({ n2: [1] }), { data_loss: true }).length).toBeGreaterThan(0)
  })

  test('is no matter when nothing is left or nothing stood', () => {
    expect(UpdateDatabase({}, start, []).length).toBe(1)
    expect(update(stateOf([]), database({ n1: [1] })).length).toBeGreaterThan(0)
  })
})

describe('a primary whose host leaves', () => {
  for (const strategy of ['rolling', 'concurrent']) {
    test(`hands over to a replica that stays before anything else happens to the node (${strategy})`, () => {
      const start = built(two)
      const plans = update(start, database({ n1: [2, 3], n2: [1, 2] }), { node_update_strategy: strategy })
      expect(plans[0]!.name).toBe('switch over n1: n1-i1 to n1-i2')
      expect(idsOf(plans[0]!)).toEqual(['create database.switchover::n1-i2'])
      expect(idsOf(plans.at(-1)!)).toContain('delete database.instance::n1-i1')
      const others = plans
        .slice(1)
        .flatMap(idsOf)
        .filter((one) => one.includes('switchover'))
      expect(others).toEqual(['delete database.switchover::n1-i2'])
      const after = new World(start).run(plans).state
      expect(after.resources['database.node']!.n1!.attributes.primary_instance_id).toBe('n1-i2')
    })
  }

  test('hands over again where a switchover was left behind by an earlier update', () => {
    const start = built(two)
    const plans = update(start, database({ n1: [2], n2: [1, 2] }))
    const left = new World(start)
    left.resources.set('x', plans[0]!.phases[0]![0]!.resource)
    expect(idsOf(update(left.state, database({ n1: [2], n2: [1, 2] }))[0]!)).toEqual([
      'create database.switchover::n1-i2',
    ])
  })

  test('is refused where no instance can take over', () => {
    const error = refusal(() => update(built(two), database({ n1: [3], n2: [1, 2] })))
    expect(faultClass(error)).toBe('no_primary')
    expect(error.message).toContain('add a replica on another host first')
  })
})

describe('plans', () => {
  test('have names a person understands and say how far along they are', () => {
    const plans = update(built(database({ n1: [1, 2, 3] })), database({ n1: [1, 2, 3], n2: [1, 2] }, 1))
    expect(plans.map((_, index) => progressOf(plans, index))).toEqual([
      'plan 1 of 8: update n1: replica 1 of 2',
      'plan 2 of 8: update n1: replica 2 of 2',
      'plan 3 of 8: update n1: primary',
      'plan 4 of 8: copy roles: n2 from n1',
      'plan 5 of 8: add n2: primary',
      'plan 6 of 8: add n2: replicas',
      'plan 7 of 8: populate n2 from n1',
      'plan 8 of 8: connect the nodes, clean up',
    ])
    expect(describePlans(plans)).toContain('  2. update database.instance::n1-i2 (dependency updated)')
    expect(describePlans([])).toEqual(['nothing to do'])
  })
})

describe('bad input', () => {
  const start = built(two)
  const withNode = (change: object) =>
    nodesOf(database({ n1: [1], n2: [1], n3: [1] })).map((node) =>
      node.node_name === 'n3' ? { ...node, ...change } : node,
    )
  const cases: [string, UpdateDatabaseOptions, object, string, string][] = [
    ['a node named twice', {}, { node_name: 'n2' }, 'duplicate_node', 'nodes[2].node_name'],
    ['a source that does not exist', {}, { source_node: 'n9' }, 'invalid_source_node', 'nodes[2].source_node'],
    ['a node that is its own source', {}, { source_node: 'n3' }, 'invalid_source_node', 'nodes[2].source_node'],
    [
      'a source beside a restore',
      {},
      { source_node: 'n1', restore_config: { source_database_name: 'a' } },
      'invalid_source_node',
      'nodes[2].source_node',
    ],
    ['an unknown host', { hosts: ['host-2'] }, {}, 'unknown_host', 'nodes[0].instances[0].host_id'],
    [
      'two instances of a node on one host',
      { careful: true },
      { instances: [...nodesOf(two)[0]!.instances!, ...nodesOf(two)[0]!.instances!] },
      'duplicate_host',
      'nodes[2].instances[2].host_id',
    ],
    ['a wrong node name', { careful: true }, { node_name: 'third' }, 'invalid_name', 'nodes[2].node_name'],
    ['a wrong database name', { careful: true }, { database_name: 'a b' }, 'invalid_name', 'nodes[2].database_name'],
    [
      'an instance of two nodes',
      { careful: true },
      { instances: nodesOf(database({ n1: [1] }))[0]!.instances },
      'duplicate_instance',
      'nodes[2].instances[0].instance_id',
    ],
  ]
  for (const [what, options, change, errorClass, path] of cases) {
    test(`${what} is refused, with its place`, () => {
      const error = refusal(() => UpdateDatabase(options, start, withNode(change)))
      expect(faultClass(error)).toBe(errorClass)
      expect(error.code).toBe('invalid-input')
      expect(error.faults[0]?.path).toBe(path)
    })
  }

  test('an unknown source is named together with the nodes there are', () => {
    const error = refusal(() => UpdateDatabase({}, start, withNode({ source_node: 'n9' })))
    expect(error.message).toContain('n3 names n9, which does not exist')
    expect(error.faults[0]).toMatchObject({ found: 'n9', allowed: 'n1, n2' })
  })

  test('a new node as source of another is refused', () => {
    const nodes = nodesOf(database({ n1: [1], n3: [1], n4: [1] })).map((node) =>
      node.node_name === 'n4' ? { ...node, source_node: 'n3' } : node,
    )
    expect(refusal(() => UpdateDatabase({}, start, nodes)).message).toContain(
      'new nodes n3 cannot be used as source nodes',
    )
  })

  test('all faults are reported at once', () => {
    const nodes = [...nodesOf(two), ...nodesOf(two)]
    expect(refusal(() => UpdateDatabase({}, start, nodes)).faults).toHaveLength(2)
  })

  test('an unknown strategy and an empty new node are refused', () => {
    expect(faultClass(refusal(() => update(start, two, { node_update_strategy: 'slow' })))).toBe('invalid_strategy')
    expect(faultClass(refusal(() => UpdateDatabase({}, start, withNode({ instances: [] }))))).toBe('empty_node')
  })

  test('a node to be restored and updated at once is refused, and one restored twice', () => {
    const [kept] = nodesOf(two)
    const target: NodeRestoreResources = {
      ...kept!,
      primary_instance: kept!.instances![0]!,
      restore_instance: kept!.instances![0]!,
      replica_instances: [],
    }
    expect(faultClass(refusal(() => RestoreDatabase(start, [kept!], [target])))).toBe('target_also_updated')
    expect(faultClass(refusal(() => RestoreDatabase(start, [], [target, target])))).toBe('duplicate_node')
  })
})
