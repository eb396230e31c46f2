import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  afterEvents,
  ConcurrentUpdateNodes,
  EndState,
  type Event,
  jsonDiff,
  type NamedPlan,
  type NodeResources,
  type NodeRestoreResources,
  nameOf,
  RestoreDatabase,
  RollingUpdateNodes,
  resourcesOf,
  type State,
  UpdateDatabase,
  type UpdateDatabaseOptions,
} from '../../../../kinds/database/plan/operations/operations.ts'
import {
  built,
  changes,
  frozen,
  nodesOf,
  resource,
  type Shape,
  servicesOf,
  shapes,
  World,
  withPrimary,
} from './databases.ts'

const runs = { numRuns: 300 }
const strategies = fc.constantFrom<UpdateDatabaseOptions>(
  {},
  { node_update_strategy: 'concurrent' },
  { careful: true },
  { plan_options: { force_update: true } },
  { careful: true, plan_options: { force_update: true } },
)
const cautious: UpdateDatabaseOptions[] = [
  {},
  { careful: true },
  { careful: true, plan_options: { force_update: true } },
]

function planned(start: State, to: Shape, options: UpdateDatabaseOptions = {}): NamedPlan[] {
  return UpdateDatabase(options, start, nodesOf(to), servicesOf(to))
}

/** Everything that is wanted stands as wanted, but for what only the world knows; nothing else stands. */
function expectEnd(state: State, to: Shape): void {
  const stood = new Map(resourcesOf(state).map((one) => [nameOf(one.identifier), one]))
  const end = resourcesOf(EndState(nodesOf(to), servicesOf(to)))
  expect([...stood.keys()].sort()).toEqual(end.map(({ identifier }) => nameOf(identifier)).sort())
  for (const wanted of end) {
    const found = stood.get(nameOf(wanted.identifier))!
    expect(jsonDiff(found.attributes, wanted.attributes, wanted.diff_ignore)).toBeNull()
    expect({ ...found, attributes: null, dependencies: null }).toEqual({
      ...wanted,
      attributes: null,
      dependencies: null,
    })
    expect(found.dependencies ?? []).toEqual(wanted.dependencies ?? [])
  }
}

const isInstance = ({ resource }: Event) => resource.identifier.type === 'database.instance'
const nodeOf = ({ resource }: Event) => resource.identifier.id.split('-')[0]!
const stepsOf = (plans: readonly NamedPlan[]) => plans.flatMap(({ phases }) => phases)

describe('the plans of an update', () => {
  test('applied to the start give the end', () => {
    fc.assert(
      fc.property(changes, strategies, ({ from, to, pick }, options) => {
        const start = withPrimary(built(from), pick)
        const plans = planned(start, to, options)
        expectEnd(new World(start).run(plans).state, to)
        expectEnd(afterEvents(start, stepsOf(plans).flat()), to)
      }),
      runs,
    )
  })

  test('leave nothing to do once they were carried out', () => {
    fc.assert(
      fc.property(changes, ({ from, to, pick }) => {
        const start = withPrimary(built(from), pick)
        const after = new World(start).run(planned(start, to)).state
        expect(planned(after, to)).toEqual([])
      }),
      runs,
    )
  })

  test('take everything away when no node is wanted', () => {
    fc.assert(
      fc.property(shapes, (from) => {
        const start = built(from)
        expect(new World(start).run(UpdateDatabase({}, start, [], [])).state.resources).toEqual({})
      }),
      runs,
    )
  })

  test('have no event before its dependencies and no delete before its dependents', () => {
    fc.assert(
      fc.property(changes, strategies, ({ from, to, pick }, options) => {
        const start = withPrimary(built(from), pick)
        const world = new World(start)
        for (const phase of stepsOf(planned(start, to, options))) {
          for (const { type, resource } of phase) {
            if (type === 'delete') continue
            for (const one of resource.dependencies ?? []) expect(world.resources.has(nameOf(one))).toBe(true)
          }
          for (const event of phase) world.apply(event)
          for (const { dependencies } of world.resources.values()) {
            for (const one of dependencies ?? []) expect(world.resources.has(nameOf(one))).toBe(true)
          }
        }
      }),
      runs,
    )
  })

  test('never have two resources in a phase of which one rests on the other', () => {
    fc.assert(
      fc.property(changes, strategies, ({ from, to, pick }, options) => {
        const start = withPrimary(built(from), pick)
        for (const phase of stepsOf(planned(start, to, options))) {
          const here = new Set(phase.map(({ resource }) => nameOf(resource.identifier)))
          for (const { resource } of phase) {
            for (const one of resource.dependencies ?? []) expect(here.has(nameOf(one))).toBe(false)
          }
        }
      }),
      runs,
    )
  })

  test('touch the replicas of a node before its primary, and of a new node the primary first', () => {
    fc.assert(
      fc.property(changes, fc.constantFrom(...cautious), ({ from, to, pick }, options) => {
        const start = withPrimary(built(from), pick)
        const before = new Set(resourcesOf(start).map(({ identifier }) => nameOf(identifier)))
        const steps = stepsOf(planned(start, to, options))
        const first = new Map<string, number>()
        const last = new Map<string, number>()
        for (const [at, phase] of steps.entries()) {
          for (const { type, resource } of phase.filter(isInstance)) {
            if (type === 'delete') continue
            if (!first.has(resource.identifier.id)) first.set(resource.identifier.id, at)
            last.set(resource.identifier.id, at)
          }
        }
        for (const node of nodesOf(to)) {
          const ids = node.instances!.map(({ instance_id }) => instance_id)
          const actual = start.resources['database.node']?.[node.node_name]
          const primary = actual === undefined ? ids[0]! : (actual.attributes.primary_instance_id as string)
          for (const id of ids) {
            if (id === primary || !first.has(id) || !first.has(primary)) continue
            const stood = before.has(`database.instance::${id}`)
            if (stood) expect(last.get(id)!).toBeLessThan(first.get(primary)!)
            else expect(first.get(id)!).toBeGreaterThan(last.get(primary)!)
          }
        }
      }),
      runs,
    )
  })

  test('when rolling, never update instances of two nodes in one plan, nor go back to a node', () => {
    fc.assert(
      fc.property(changes, fc.constantFrom(...cautious), ({ from, to, pick }, options) => {
        const start = withPrimary(built(from), pick)
        const order: string[] = []
        for (const { phases } of planned(start, to, options)) {
          const touched = new Set(
            phases
              .flat()
              .filter((event) => event.type === 'update' && isInstance(event))
              .map(nodeOf),
          )
          expect(touched.size).toBeLessThanOrEqual(1)
          for (const node of touched) if (order.at(-1) !== node) order.push(node)
        }
        expect(new Set(order).size).toBe(order.length)
      }),
      runs,
    )
  })

  test('start a copy only when every peer has the slot and the source has what the peer had', () => {
    fc.assert(
      fc.property(changes, ({ from, to }) => {
        const start = built(from)
        const seen = new Map<string, number>()
        for (const [at, phase] of stepsOf(planned(start, to)).entries()) {
          for (const { type, resource } of phase) {
            if (type === 'create') seen.set(nameOf(resource.identifier), at)
          }
        }
        const actual = Object.keys(start.resources['database.node'] ?? {}).filter((name) =>
          to.nodes.some((n) => n.name === name),
        )
        for (const added of to.nodes.filter(({ name }) => !actual.includes(name))) {
          const [source] = to.nodes.filter(({ name }) => actual.includes(name)).map(({ name }) => name)
          const copy = seen.get(`database.subscription::${source}:${added.name}:app`)!
          for (const peer of actual.filter((name) => name !== source)) {
            const slot = seen.get(`database.replication_slot_create::spk_app_${peer}_sub_${peer}_${added.name}`)!
            const caughtUp = seen.get(`database.peer_catchup::${source}:${peer}:app`)!
            const advanced = seen.get(`database.replication_origin_advance::${peer}:${added.name}:app`)!
            expect(slot).toBeLessThan(copy)
            expect(caughtUp).toBeLessThan(copy)
            expect(advanced).toBeGreaterThan(copy)
          }
        }
      }),
      runs,
    )
  })

  test('leave every input as it was', () => {
    fc.assert(
      fc.property(changes, strategies, ({ from, to, pick }, options) => {
        const start = frozen(withPrimary(built(from), pick))
        const nodes = frozen(nodesOf(to))
        const text = JSON.stringify([start, nodes])
        UpdateDatabase(frozen(options), start, nodes, frozen(servicesOf(to)))
        RollingUpdateNodes(start, [])
        ConcurrentUpdateNodes(start, [])
        expect(JSON.stringify([start, nodes])).toBe(text)
      }),
      runs,
    )
  })

  test('are the same, byte for byte, for the same input in another order of keys', () => {
    fc.assert(
      fc.property(changes, strategies, ({ from, to }, options) => {
        const start = built(from)
        const turned = { ...start, resources: Object.fromEntries(Object.entries(start.resources).reverse()) }
        expect(JSON.stringify(planned(turned, to, options))).toBe(JSON.stringify(planned(start, to, options)))
      }),
      runs,
    )
  })
})

describe('the plans of a restore', () => {
  test('applied to the start give the end, and delete no instance of a node that is not restored', () => {
    fc.assert(
      fc.property(
        shapes.map((shape) => ({ ...shape, rich: false })),
        fc.nat(15),
        (shape, mask) => {
          const start = built(shape)
          const all = nodesOf(shape)
          const restored = all.filter((_, index) => (mask >> index) & 1)
          const kept = all.filter((node) => !restored.includes(node))
          const plans = RestoreDatabase(start, kept, restored.map(restoring))
          const untouched = kept.map(({ node_name }) => node_name)
          const hit = stepsOf(plans).flat().filter(isInstance).map(nodeOf)
          expect(hit.filter((name) => untouched.includes(name))).toEqual([])
          expectEnd(new World(start).run(plans).state, { ...shape, service: false })
        },
      ),
      runs,
    )
  })
})

function restoring(node: NodeResources): NodeRestoreResources {
  const [primary, ...replicas] = node.instances!.map((one) => ({ ...one, node_dependents: [] }))
  const restore = resource('orchestrator.restore', node.node_name, {}, [])
  const below = [...(primary!.instance.dependencies ?? []), restore.identifier]
  const attributes = { ...primary!.instance.attributes, dependencies: below }
  const restore_instance = {
    ...primary!,
    instance: { ...primary!.instance, attributes, dependencies: below },
    instance_dependencies: [...primary!.instance_dependencies!, restore],
  }
  return { ...node, primary_instance: primary!, restore_instance, replica_instances: replicas }
}

describe('an update that was cut off', () => {
  test('at any event is finished by the next one, and no new node is connected before it was filled', () => {
    fc.assert(
      fc.property(changes, fc.array(fc.nat(1000), { minLength: 1, maxLength: 3 }), ({ from, to }, cuts) => {
        const careful = { careful: true }
        const start = built(from)
        const world = new World(start)
        const done = new Set<string>()
        const carryOut = (events: readonly Event[]) => {
          for (const event of events) {
            world.apply(event)
            if (event.type === 'create') done.add(nameOf(event.resource.identifier))
          }
        }
        for (const cut of cuts) {
          const events = stepsOf(planned(world.state, to, careful)).flat()
          carryOut(events.slice(0, cut % (events.length + 1)))
        }
        carryOut(stepsOf(planned(world.state, to, careful)).flat())
        expectEnd(world.state, to)
        const actual = Object.keys(start.resources['database.node'] ?? {})
        const added = to.nodes.map(({ name }) => name).filter((name) => !actual.includes(name))
        for (const name of added) {
          const waited = [...done].filter(
            (id) => id.startsWith('database.wait_for_sync_event::') && id.includes(`:${name}:`),
          )
          expect(waited).not.toEqual([])
        }
      }),
      runs,
    )
  })
})
