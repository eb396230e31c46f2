import { linkTypes } from './catalogue.ts'
import { DependencyState } from './dependency-state.ts'
import { atState } from './plan.ts'
import { findResource, type NamedPlan, type Phase, type ResourceData, type State } from './resource.ts'
import { sameResource } from './same.ts'
import { type Step, titleOf } from './step.ts'
import { transition } from './transition.ts'
import { type Bound, VertexIndex } from './vertex-index.ts'

/** A start and an end with their vertices, and what of the start has to be created again. */
export interface Journey {
  readonly vertices: VertexIndex
  /**
   * The present state, without resources that have to be created again; those that the end lacks are
   * marked as to be deleted.
   */
  readonly start: Bound
  readonly end: Bound
  /** Links that stand exactly as the end wants them, when that is all links: neither in `start` nor in `end` then. */
  readonly resting: readonly ResourceData[]
  /** Place of what has to be created again -> as it will stand. */
  readonly lost: ReadonlyMap<number, ResourceData>
}

/** What the end consists of; the links can be walked more than once. */
export interface End {
  readonly own: readonly ResourceData[]
  readonly links: () => Iterable<ResourceData>
}

export interface JourneyRules {
  readonly force: boolean
  /** See `UpdateDatabaseOptions.careful`. */
  readonly careful: boolean
}

/**
 * A resource that is not in the end is marked, so that no plan before the last touches it: an update of one that is
 * about to go may fail because of changes below it. One that has to be created again is left out, so that it is planned
 * as a plain create in the step where it next appears.
 */
export function journey(state: State, end: End): Journey {
  const vertices = new VertexIndex()
  const resting = restingLinks(state, end)
  const bound = vertices.bind(resting === undefined ? [...end.own, ...end.links()] : end.own)
  const endAt: number[] = []
  for (const [index, vertex] of bound.vertices.entries()) endAt[vertex] = index
  const lost = new Map<number, ResourceData>()
  const start: { vertices: number[]; resources: ResourceData[] } = { vertices: [], resources: [] }
  for (const [type, byId] of Object.entries(state.resources)) {
    if (resting !== undefined && linkTypes.includes(type)) continue
    for (const resource of Object.values(byId)) {
      const vertex = vertices.of(resource.identifier)
      const index = endAt[vertex]
      if (index !== undefined && resource.needs_recreate) {
        lost.set(vertex, bound.resources[index]!)
        continue
      }
      start.vertices.push(vertex)
      start.resources.push(index === undefined ? { ...resource, pending_deletion: true } : resource)
    }
  }
  return { vertices, start, end: bound, resting: resting ?? [], lost }
}

/** All links as they stand, if they are exactly those of the end and the databases they rest on stand too. */
function restingLinks(state: State, end: End): ResourceData[] | undefined {
  const calm = (wanted: ResourceData, same: (stood: ResourceData) => boolean) => {
    const { type, id } = wanted.identifier
    const stood = findResource(state, type, id)
    return stood !== undefined && isCalm(stood) && same(stood) ? stood : undefined
  }
  for (const own of end.own) {
    if (own.identifier.type === 'database.postgres_database' && !calm(own, () => true)) return undefined
  }
  const resting: ResourceData[] = []
  for (const wanted of end.links()) {
    const stood = calm(wanted, (found) => sameResource(found, wanted))
    if (stood === undefined) return undefined
    resting.push(stood)
  }
  const actual = linkTypes.reduce((sum, type) => sum + Object.keys(state.resources[type] ?? {}).length, 0)
  return actual === resting.length ? resting : undefined
}

function isCalm({ needs_recreate, pending_deletion, error }: ResourceData): boolean {
  return !needs_recreate && !pending_deletion && error === ''
}

/** A plan per step and one to the end; those without events are left out. */
export function drawPlans(path: Journey, steps: readonly Step[], rules: JourneyRules): NamedPlan[] {
  const { vertices, start, end } = path
  const dependencies = new DependencyState(vertices, start, path.resting)
  const plans = steps.map((step, index) => {
    const wanted = vertices.bind(step.resources)
    if (step.once) clear(dependencies, wanted.vertices)
    const phases = atState(index, () =>
      transition(dependencies, wanted, {
        force: rules.careful && rules.force ? 'wanted' : 'no',
        failed: rules.careful ? 'where_wanted' : 'everywhere',
        otherVersion: rules.careful ? 'update' : 'leave',
        tolerated: new Set((step.awaits ?? []).map((identifier) => vertices.of(identifier))),
      }),
    )
    if (step.once) setAside(dependencies, wanted)
    return { name: titleOf(step), phases }
  })
  const last = atState(steps.length, () =>
    transition(dependencies, dependencies.withWoken(end), {
      exact: true,
      force: !rules.force ? 'no' : rules.careful ? 'untouched' : 'all',
      otherVersion: rules.careful ? 'update' : 'leave',
    }),
  )
  return [...plans, { name: lastTitle(last), phases: last }].filter(({ phases }) => phases.length > 0)
}

function clear(dependencies: DependencyState, vertices: readonly number[]): void {
  const actual = vertices.filter((vertex) => dependencies.actual[vertex] !== undefined)
  for (const vertex of actual) dependencies.remove(vertex)
  dependencies.settle([], actual)
}

function setAside(dependencies: DependencyState, { vertices, resources }: Bound): void {
  for (const [index, vertex] of vertices.entries())
    dependencies.put(vertex, { ...resources[index]!, pending_deletion: true })
}

/** The last plan is whatever is left to do, so its name is read off its events. */
function lastTitle(phases: readonly Phase[]): string {
  const events = phases.flat()
  const any = (kind: 'set' | 'delete', type: string) =>
    events.some((event) => (event.type === 'delete') === (kind === 'delete') && event.resource.identifier.type === type)
  const removed = events
    .filter(({ type, resource }) => type === 'delete' && resource.identifier.type === 'database.node')
    .map(({ resource }) => resource.identifier.id)
  const words = [
    ...(any('set', 'database.postgres_database') ? ['set up the databases'] : []),
    ...(any('set', 'database.subscription') ? ['connect the nodes'] : []),
    ...(any('set', 'monitor.service_instance') ? ['set up the services'] : []),
  ]
  if (words.length === 0 && events.some(({ type }) => type !== 'delete')) words.push('finish')
  if (removed.length > 0) words.push(`remove ${removed.join(', ')}`)
  else if (events.some(({ type }) => type === 'delete')) words.push('clean up')
  return words.join(', ')
}
