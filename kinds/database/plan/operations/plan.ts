import { DependencyState } from './dependency-state.ts'
import { within } from './faults.ts'
import { type Event, type Phase, resourcesOf, type State } from './resource.ts'
import { type TransitionRules, transition } from './transition.ts'
import { VertexIndex } from './vertex-index.ts'

export interface PlanOptions {
  /** Updates every resource, whether it differs or not. */
  readonly force_update?: boolean
}

/**
 * The phases that lead from `current` to `desired`: creates and updates, then deletes. Pure; throws a `RemodelError`
 * whose `details.error_class` is `missing_dependency`, `self_dependency`, `self_type_dependency` or `cycle`.
 * Rule of the reference: `resource.State.Plan`.
 */
export function Plan(current: State, options: PlanOptions, desired: State): Phase[] {
  const vertices = new VertexIndex()
  const dependencies = new DependencyState(vertices, vertices.bind(resourcesOf(current)))
  return transition(dependencies, vertices.bind(resourcesOf(desired)), rulesOf(options))
}

/** One refresh of every resource, dependencies first. Dependencies that are missing do not matter here. */
export function PlanRefresh(current: State): Event[][] {
  const vertices = new VertexIndex()
  const bound = vertices.bind(resourcesOf(current))
  const dependencies = new DependencyState(vertices, bound)
  dependencies.refuseUnordered()
  const phases = new Map<number, Event[]>()
  for (const [index, vertex] of bound.vertices.entries()) {
    const layer = dependencies.layers.of(vertex)
    const event: Event = { type: 'refresh', resource: bound.resources[index]! }
    const phase = phases.get(layer)
    if (phase === undefined) phases.set(layer, [event])
    else phase.push(event)
  }
  return [...phases.keys()].sort((a, b) => a - b).map((layer) => phases.get(layer)!)
}

/** Runs the planning of one state; a refusal says which state it was. */
export function atState<T>(index: number, plan: () => T): T {
  try {
    return plan()
  } catch (error) {
    throw within(`failed to generate plans: error at state index ${index}`, error)
  }
}

function rulesOf(options: PlanOptions): TransitionRules {
  return { exact: true, force: options.force_update ? 'all' : 'no' }
}
