import type { Ground } from './ground.ts'
import { jsonDiff } from './jsondiff.ts'
import type { Bound } from './places.ts'
import type { Event, Phase, ResourceData } from './resource.ts'

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
  /** Places that may be missing for now: a later step brings them. */
  readonly tolerated?: ReadonlySet<number>
}

/**
 * The phases that lead from the present state to the desired one, and the ground moved there.
 *
 * Per resource the first rule that fits decides: not there: create; to be deleted later: nothing; to be created again:
 * create; failed before: update; forced: update; something it rests on has an event here: update; differs: update. So
 * events spread upward from what changed, in the order of the layers, and nothing else is looked at. Creates and
 * updates come first, dependencies before dependents; deletes after them, dependents first.
 */
export function transition(ground: Ground, wanted: Bound, rules: TransitionRules = {}): Phase[] {
  const leaving = rules.exact ? ground.others(wanted.places) : []
  if (leaving.length > 0 || (rules.force !== undefined && rules.force !== 'no')) ground.wake()
  const deletions = ground.layers
    .dismantling(leaving)
    .map((layer) => layer.map((place): Event => ({ type: 'delete', resource: ground.standing[place]! })).sort(byName))
  const before = change(ground, wanted, leaving, rules)
  return [...spread(ground, before, new Set(rules.force === 'wanted' ? wanted.places : []), rules), ...deletions]
}

/** Puts the wanted resources in place. Returns what stood at the places where something may have to be done. */
function change(
  ground: Ground,
  wanted: Bound,
  leaving: readonly number[],
  rules: TransitionRules,
): Map<number, ResourceData | undefined> {
  const before = new Map<number, ResourceData | undefined>()
  const moved: number[] = []
  const { standing, flagged } = ground
  if (rules.failed !== 'where_wanted' || rules.exact) for (const place of flagged) before.set(place, standing[place])
  for (let index = 0; index < wanted.places.length; index++) {
    const place = wanted.places[index]!
    const resource = wanted.resources[index]!
    const stood = standing[place]
    if (stood === resource && !flagged.has(place)) continue
    if (!before.has(place) && mayNeedWork(stood, resource)) before.set(place, stood)
    if (ground.put(place, resource)) moved.push(place)
  }
  for (const place of leaving) {
    ground.remove(place)
    before.delete(place)
    for (const resting of ground.layers.needing(place)) moved.push(resting)
  }
  if (moved.length > 0 || before.size > 0) ground.wake()
  ground.check(rules.tolerated)
  ground.settle(moved, leaving)
  if (rules.force === 'wanted') for (const place of wanted.places) keep(before, place, standing)
  if (rules.force === 'all' || rules.force === 'untouched')
    standing.forEach((_, place) => void keep(before, place, standing))
  return before
}

function keep(
  before: Map<number, ResourceData | undefined>,
  place: number,
  standing: readonly (ResourceData | undefined)[],
): void {
  if (!before.has(place) && standing[place] !== undefined) before.set(place, standing[place])
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
  ground: Ground,
  before: ReadonlyMap<number, ResourceData | undefined>,
  forced: ReadonlySet<number>,
  rules: TransitionRules,
): Phase[] {
  const queue: number[][] = []
  const entered = new Set<number>()
  const shaken = new Set<number>()
  const enter = (place: number) => {
    if (entered.has(place)) return
    entered.add(place)
    const layer = ground.layers.of(place)
    const places = queue[layer]
    if (places === undefined) queue[layer] = [place]
    else places.push(place)
  }
  const shake = (place: number) => {
    shaken.add(place)
    enter(place)
  }
  const isForced = (place: number) =>
    rules.force === 'all' || (rules.force === 'untouched' && !ground.planned.has(place)) || forced.has(place)

  for (const place of before.keys()) enter(place)
  const phases: Phase[] = []
  for (let layer = 0; layer < queue.length; layer++) {
    const phase: Event[] = []
    for (const place of queue[layer] ?? []) {
      const wanted = ground.standing[place]!
      const stood = before.has(place) ? before.get(place) : wanted
      const event = decide(stood, wanted, { forced: isForced(place), shaken: shaken.has(place) }, rules)
      if (event === undefined) continue
      phase.push(event)
      ground.layers.above(place, shake)
    }
    if (phase.length > 0) phases.push(phase.sort(byName))
    if (rules.force !== undefined && rules.force !== 'no') {
      for (const { resource } of phase) ground.planned.add(ground.places.of(resource.identifier))
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
