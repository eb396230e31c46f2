import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  AddNodes,
  ConcurrentUpdateNodes,
  EndState,
  type Event,
  faultClass,
  nameOf,
  Plan,
  PlanRefresh,
  type ResourceData,
  RollingUpdateNodes,
  resourcesOf,
  type State,
  stateOf,
  UpdateDatabase,
} from '../../../../kinds/database/plan/operations/operations.ts'
import { built, changes, nodesOf, resource, servicesOf, shapes, withPrimary } from './databases.ts'
import { plainPlan, plainPlans } from './oracle.ts'

const runs = { numRuns: 500 }

/** A state whose resources only rest on earlier ones, and by type only on earlier types. */
const states: fc.Arbitrary<State> = fc
  .array(
    fc.record({
      type: fc.nat(3),
      needs: fc.array(fc.nat(12), { maxLength: 3 }),
      types: fc.array(fc.nat(3), { maxLength: 2 }),
      value: fc.nat(2),
      seen: fc.nat(2),
      version: fc.constantFrom('1', '1', '1', '2'),
      needs_recreate: fc.integer({ max: 9, min: 0 }),
      error: fc.constantFrom('', '', '', 'boom'),
      pending: fc.integer({ max: 9, min: 0 }),
    }),
    { maxLength: 12 },
  )
  .map((list) => {
    const resources: ResourceData[] = []
    for (const [index, one] of list.entries()) {
      const lower = resources.filter(({ identifier }) => identifier.type <= `t${one.type}`)
      const needs = one.needs.flatMap((at) =>
        lower[at % (lower.length || 1)] ? [lower[at % lower.length]!.identifier] : [],
      )
      resources.push({
        ...resource(`t${one.type}`, `r${index}`, { value: one.value, seen: one.seen }, needs),
        type_dependencies: one.types.filter((type) => type < one.type).map((type) => `t${type}`),
        diff_ignore: ['/seen'],
        resource_version: one.version,
        needs_recreate: one.needs_recreate === 0,
        error: one.error,
        pending_deletion: one.pending === 0,
      })
    }
    return stateOf(resources)
  })

const unordered = (phases: readonly (readonly Event[])[]) =>
  phases.map((phase) => phase.map((event) => JSON.stringify([nameOf(event.resource.identifier), event])).sort())

describe('planning by differences', () => {
  test('gives exactly the plan that comparing whole states gives', () => {
    fc.assert(
      fc.property(states, states, fc.boolean(), (current, desired, force) => {
        const plan = Plan(current, { force_update: force }, desired)
        expect(unordered(plan)).toEqual(unordered(plainPlan(current, desired, force)))
      }),
      runs,
    )
  })

  test('gives exactly the plans of an update that whole states give, step by step', () => {
    fc.assert(
      fc.property(
        changes,
        fc.boolean(),
        fc.boolean(),
        fc.array(fc.nat(50), { maxLength: 2 }),
        ({ from, to, pick }, concurrent, force, broken) => {
          const start = withErrors(withPrimary(built(from), pick), broken)
          const names = Object.keys(start.resources['database.node'] ?? {})
          const nodes = nodesOf({ ...to, nodes: to.nodes.filter(({ name }) => names.includes(name)) }).map((node) => ({
            ...node,
            primary_instance_id: start.resources['database.node']![node.node_name]!.attributes
              .primary_instance_id as string,
          }))
          fc.pre(
            nodes.every((node) => node.instances!.some(({ instance_id }) => instance_id === node.primary_instance_id)),
          )
          const update = concurrent ? ConcurrentUpdateNodes : RollingUpdateNodes
          const options = {
            node_update_strategy: concurrent ? 'concurrent' : 'rolling',
            plan_options: { force_update: force },
          }
          const services = servicesOf(to)
          const plans = UpdateDatabase(options, start, nodes, services)
          const plain = plainPlans(start, update(start, nodes), EndState(nodes, services), force)
          expect(plans.map(({ phases }) => unordered(phases))).toEqual(plain.map(unordered))
        },
      ),
      runs,
    )
  })

  test('gives exactly the plans that build a database from nothing', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const nodes = nodesOf(shape)
        const nothing = { version: '1.2.0', resources: {} }
        const plain = plainPlans(nothing, AddNodes(nodes), EndState(nodes, servicesOf(shape)), false)
        const plans = UpdateDatabase({}, nothing, nodes, servicesOf(shape))
        expect(plans.map(({ phases }) => unordered(phases))).toEqual(plain.map(unordered))
      }),
      runs,
    )
  })

  test('refreshes everything once, dependencies first', () => {
    fc.assert(
      fc.property(states, (state) => {
        const seen = new Set<string>()
        for (const phase of PlanRefresh(state)) {
          for (const { resource: one } of phase) {
            expect((one.dependencies ?? []).every((dependency) => seen.has(nameOf(dependency)))).toBe(true)
          }
          for (const { resource: one } of phase) seen.add(nameOf(one.identifier))
        }
        expect(seen.size).toBe(resourcesOf(state).length)
      }),
      runs,
    )
  })

  test('refuses a cycle, in the desired state and in the present one', () => {
    const a = resource('t', 'a', {}, [{ type: 't', id: 'b' }])
    const b = resource('t', 'b', {}, [{ type: 't', id: 'a' }])
    const ring = stateOf([a, b])
    const nothing = stateOf([])
    for (const plan of [() => Plan(nothing, {}, ring), () => Plan(ring, {}, nothing), () => PlanRefresh(ring)]) {
      expect(classOf(plan)).toBe('cycle')
    }
    const typeRing = stateOf([
      { ...resource('t', 'a', {}, []), type_dependencies: ['u'] },
      { ...resource('u', 'b', {}, []), type_dependencies: ['t'] },
    ])
    expect(classOf(() => Plan(nothing, {}, typeRing))).toBe('cycle')
  })
})

function withErrors(state: State, broken: readonly number[]): State {
  const all = resourcesOf(state)
  const hit = new Set(broken.map((at) => at % all.length))
  return stateOf(all.map((one, index) => (hit.has(index) ? { ...one, error: 'boom' } : one)))
}

function classOf(plan: () => unknown): string | undefined {
  try {
    plan()
  } catch (error) {
    return faultClass(error)
  }
  return undefined
}
