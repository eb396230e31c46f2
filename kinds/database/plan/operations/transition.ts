import type { DependencyState } from './dependency-state.ts'
import { jsonDiff } from './jsondiff.ts'
import type { Event, Phase, ResourceData } from './resource.ts'
import type { Bound } from './vertex-index.ts'

/** How one transition is planned. The defaults are the reference's. */
export interface TransitionRules {
  /**
   * What is not wanted is deleted, after everything else. Otherwise the wanted resources are put upon the present ones.
   */
  readonly exact?: boolean
  /** Updates even what does not differ: everything, what is wanted here, or what no plan so far has touched. */
  readonly force?: 'no' | 'all' | 'wanted' | 'untouched'
  /** Tries what failed before again in every transition, or only where it is wanted. */
  readonly failed?: 'everywhere' | 'where_wanted'
  /** A resource of another version is left alone, or updated. */
  readonly otherVersion?: 'leave' | 'update'
  /** VertexIndex that may be missing for now: a later step brings them. */
  readonly tolerated?: ReadonlySet<number>
}

/**
 * The phases that lead from the present state to the desired one, and the dependencies moved there.
 *
 * Per resource the first rule that fits decides: not there: create; to be deleted later: nothing; to be created again:
 * create; failed before: update; forced: update; something it rests on has an event here: update; differs: update. So
 * events spread upward from what changed, in the order of the layers, and nothing else is looked at. Creates and
 * updates come first, dependencies before dependents; deletes after them, dependents first.
 */
export function transition(dependencies: DependencyState, wanted: Bound, rules: TransitionRules = {}): Phase[] {
  const leaving = rules.exact ? dependencies.others(wanted.vertices) : []
  if (leaving.length > 0 || (rules.force !== undefined && rules.force !== 'no')) dependencies.wake()
  const deletions = dependencies.layers
    .dismantling(leaving)
    .map((layer) =>
      layer.map((vertex): Event => ({ type: 'delete', resource: dependencies.actual[vertex]! })).sort(byName),
    )
  const before = change(dependencies, wanted, leaving, rules)
  return [
    ...spread(dependencies, before, new Set(rules.force === 'wanted' ? wanted.vertices : []), rules),
    ...deletions,
  ]
}

/** Puts the wanted resources at their vertices. Answers what was at those where something may have to be done. */
function change(
  dependencies: DependencyState,
  wanted: Bound,
  leaving: readonly number[],
  rules: TransitionRules,
): Map<number, ResourceData | undefined> {
  const before = new Map<number, ResourceData | undefined>()
  const moved: number[] = []
  const { actual, flagged } = dependencies
  if (rules.failed !== 'where_wanted' || rules.exact) for (const vertex of flagged) before.set(vertex, actual[vertex])
  for (let index = 0; index < wanted.vertices.length; index++) {
    const vertex = wanted.vertices[index]!
    const resource = wanted.resources[index]!
    const stood = actual[vertex]
    if (stood === resource && !flagged.has(vertex)) continue
    if (!before.has(vertex) && mayNeedWork(stood, resource)) before.set(vertex, stood)
    if (dependencies.put(vertex, resource)) moved.push(vertex)
  }
  for (const vertex of leaving) {
    dependencies.remove(vertex)
    before.delete(vertex)
    for (const resting of dependencies.layers.needing(vertex)) moved.push(resting)
  }
  if (moved.length > 0 || before.size > 0) dependencies.wake()
  dependencies.check(rules.tolerated)
  dependencies.settle(moved, leaving)
  if (rules.force === 'wanted') for (const vertex of wanted.vertices) keep(before, vertex, actual)
  if (rules.force === 'all' || rules.force === 'untouched')
    actual.forEach((_, vertex) => void keep(before, vertex, actual))
  return before
}

function keep(
  before: Map<number, ResourceData | undefined>,
  vertex: number,
  actual: readonly (ResourceData | undefined)[],
): void {
  if (!before.has(vertex) && actual[vertex] !== undefined) before.set(vertex, actual[vertex])
}

function mayNeedWork(stood: ResourceData | undefined, wanted: ResourceData): boolean {
  // What is wanted may carry marks of its own; the rules go by those of what stood, so that one is remembered.
  if (stood === undefined || isMarked(stood) || isMarked(wanted)) return true
  if (stood.resource_version !== wanted.resource_version) return true
  return jsonDiff(stood.attributes, wanted.attributes, stood.diff_ignore) !== null
}

function isMarked({ pending_deletion, needs_recreate, error }: ResourceData): boolean {
  return pending_deletion || needs_recreate || error !== ''
}

function spread(
  dependencies: DependencyState,
  before: ReadonlyMap<number, ResourceData | undefined>,
  forced: ReadonlySet<number>,
  rules: TransitionRules,
): Phase[] {
  const queue: number[][] = []
  const entered = new Set<number>()
  const shaken = new Set<number>()
  const enter = (vertex: number) => {
    if (entered.has(vertex)) return
    entered.add(vertex)
    const layer = dependencies.layers.of(vertex)
    const vertices = queue[layer]
    if (vertices === undefined) queue[layer] = [vertex]
    else vertices.push(vertex)
  }
  const shake = (vertex: number) => {
    shaken.add(vertex)
    enter(vertex)
  }
  const isForced = (vertex: number) =>
    rules.force === 'all' || (rules.force === 'untouched' && !dependencies.planned.has(vertex)) || forced.has(vertex)

  for (const vertex of before.keys()) enter(vertex)
  const phases: Phase[] = []
  for (let layer = 0; layer < queue.length; layer++) {
    const phase: Event[] = []
    for (const vertex of queue[layer] ?? []) {
      const wanted = dependencies.actual[vertex]!
      const stood = before.has(vertex) ? before.get(vertex) : wanted
      const event = decide(stood, wanted, { forced: isForced(vertex), shaken: shaken.has(vertex) }, rules)
      if (event === undefined) continue
      phase.push(event)
      dependencies.layers.above(vertex, shake)
    }
    if (phase.length > 0) phases.push(phase.sort(byName))
    if (rules.force !== undefined && rules.force !== 'no') {
      for (const { resource } of phase) dependencies.planned.add(dependencies.vertices.of(resource.identifier))
    }
  }
  return phases
}

/** The rules of `transition`, in their order, for one resource. */
function decide(
  stood: ResourceData | undefined,
  wanted: ResourceData,
  { forced, shaken }: { forced: boolean; shaken: boolean },
  rules: TransitionRules,
): Event | undefined {
  if (stood === undefined) return { type: 'create', resource: wanted, reason: 'does_not_exist' }
  if (stood.pending_deletion) return undefined
  if (stood.needs_recreate) return { type: 'create', resource: wanted, reason: 'needs_recreate' }
  if (stood.error !== '') return { type: 'update', resource: wanted, reason: 'has_error' }
  if (forced) return { type: 'update', resource: wanted, reason: 'force_update' }
  if (shaken) return { type: 'update', resource: wanted, reason: 'dependency_updated' }
  if (stood === wanted) return undefined
  const otherVersion = stood.resource_version !== wanted.resource_version
  if (otherVersion && rules.otherVersion !== 'update') return undefined
  const diff = jsonDiff(stood.attributes, wanted.attributes, stood.diff_ignore)
  if (diff === null && !otherVersion) return undefined
  return { type: 'update', resource: wanted, reason: 'has_diff', diff: diff ?? [] }
}

/** Events of a phase have no order among themselves; a fixed one makes equal inputs give equal text. */
function byName(a: Event, b: Event): number {
  const one = a.resource.identifier
  const other = b.resource.identifier
  if (one.type !== other.type) return one.type < other.type ? -1 : 1
  return one.id < other.id ? -1 : one.id > other.id ? 1 : 0
}
