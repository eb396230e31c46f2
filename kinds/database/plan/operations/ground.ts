import { linkTypes } from './catalogue.ts'
import { missingDependency, selfDependency, selfTypeDependency } from './faults.ts'
import { Layers } from './layers.ts'
import type { Bound, Places } from './places.ts'
import type { Identifier, ResourceData } from './resource.ts'
import { sameEdges } from './same.ts'

/**
 * The state while plans are drawn up, one transition after the other, with the graph of dependencies.
 *
 * A transition costs what it changes: nothing is copied, and only the part of the graph above a change is walked.
 * Belongs to one call of an operation and is never handed out.
 */
export class Ground {
  /** The resource at a place; undefined where it is only mentioned, and at the place of a type. */
  readonly standing: (ResourceData | undefined)[] = []
  /** Places whose resource has an error or must be created again: every transition looks at them. */
  readonly flagged = new Set<number>()
  /** Places that some plan so far has an event for. */
  readonly planned = new Set<number>()
  readonly places: Places
  readonly layers: Layers

  /** Places that something standing rests on and where nothing stands. */
  readonly #dangling = new Set<number>()
  /** Resources that depend on themselves. They refuse every plan as long as they stand. */
  readonly #selfish = new Map<number, Error>()
  /** What stood at first could not be ordered: nothing can be planned from it. */
  #groundless: unknown
  #settled = false

  /** Resources of the start that have not been looked at yet, because nothing has happened below them. */
  #resting: readonly ResourceData[]
  #woken: Bound = { places: [], resources: [] }

  /**
   * `resting` are links that stand beside `start` and, the databases they rest on standing too, have no part in
   * anything until something changes. A state is mostly links: not looking at them makes planning nothing cheap.
   */
  constructor(places: Places, start: Bound, resting: readonly ResourceData[] = []) {
    this.places = places
    this.layers = new Layers(places, this.standing)
    this.#resting = resting
    for (let index = 0; index < start.places.length; index++) this.put(start.places[index]!, start.resources[index]!)
    try {
      this.layers.settle(this.#everything())
      this.#settled = true
    } catch (error) {
      // The desired state is looked at first: its own faults come before those of the present one.
      this.#groundless = error
    }
  }

  /** Takes up what was resting. To be called before anything but plain comparison is done. */
  wake(): void {
    if (this.#resting.length === 0) return
    this.#woken = this.places.bind(this.#resting)
    this.#resting = []
    const { places, resources } = this.#woken
    for (let index = 0; index < places.length; index++) this.put(places[index]!, resources[index]!)
    if (this.#groundless === undefined && this.#settled) this.layers.settle(places)
  }

  /** The wanted resources with what was woken: a link that is not mentioned stays. */
  withWoken(wanted: Bound): Bound {
    const { places, resources } = this.#woken
    if (places.length === 0) return wanted
    return { places: [...wanted.places, ...places], resources: [...wanted.resources, ...resources] }
  }

  /** Lets a resource stand at its place. True where that changed who rests on whom. */
  put(place: number, resource: ResourceData): boolean {
    const before = this.standing[place]
    this.standing[place] = resource
    if ((resource.needs_recreate || resource.error !== '') && !resource.pending_deletion) this.flagged.add(place)
    else if (this.flagged.size > 0) this.flagged.delete(place)
    if (before !== undefined && sameEdges(before, resource)) return false
    if (before === undefined && this.#dangling.size > 0) this.#dangling.delete(place)
    this.#rest(place, this.#needsOf(place, resource))
    return true
  }

  remove(place: number): void {
    this.#rest(place, [])
    this.standing[place] = undefined
    this.flagged.delete(place)
    if (this.layers.isNeeded(place)) this.#dangling.add(place)
  }

  /** Everything that stands and is not at one of these places. */
  others(kept: readonly number[]): number[] {
    const keep = new Uint8Array(this.places.typeAt.length)
    for (const place of kept) keep[place] = 1
    const rest: number[] = []
    for (let place = 0; place < this.standing.length; place++) {
      if (keep[place] === 0 && this.standing[place] !== undefined) rest.push(place)
    }
    return rest
  }

  /** Refuses what could not be ordered: a dependency that does not stand, a resource that rests on itself. */
  check(tolerated: ReadonlySet<number> = new Set()): void {
    for (const missing of this.#dangling) {
      if (tolerated.has(missing)) continue
      const of = this.standing[this.layers.needing(missing)[0]!]!
      throw missingDependency(of.identifier, this.#identifierIn(of, missing))
    }
    for (const error of this.#selfish.values()) throw error
  }

  /** Refuses what cannot be ordered at all; missing dependencies are no matter here. */
  refuseUnordered(): void {
    for (const error of this.#selfish.values()) throw error
    if (this.#groundless !== undefined) throw this.#groundless
  }

  /** Finds the layers again, above what moved and what was removed. Refuses a cycle. */
  settle(moved: readonly number[], removed: readonly number[]): void {
    if (this.#groundless !== undefined) {
      this.layers.settle(this.#everything())
      throw this.#groundless
    }
    const changed = new Set<number>()
    for (const place of moved) {
      if (this.standing[place] === undefined) continue
      changed.add(place)
      for (const need of this.layers.needs(place)) if (this.places.isType(need)) changed.add(need)
    }
    for (const place of removed) {
      const type = this.places.typeAt[place]!
      if (this.layers.isNeeded(type)) changed.add(type)
    }
    if (changed.size > 0) this.layers.settle(changed)
  }

  *#everything(): Generator<number> {
    for (let place = 0; place < this.places.typeAt.length; place++) {
      if (this.standing[place] !== undefined || (this.places.isType(place) && this.layers.isNeeded(place))) yield place
    }
  }

  #rest(place: number, needs: readonly number[]): void {
    for (const gone of this.layers.needs(place)) if (!needs.includes(gone)) this.#letGo(gone, place)
    for (const need of needs) {
      if (this.standing[need] === undefined && !this.places.isType(need)) this.#dangling.add(need)
    }
    this.layers.rest(place, needs)
  }

  #letGo(need: number, place: number): void {
    const others = this.layers.needing(need)
    if (others.length === 1 && others[0] === place) this.#dangling.delete(need)
  }

  #needsOf(place: number, resource: ResourceData): number[] {
    if (this.#selfish.size > 0) this.#selfish.delete(place)
    const needs: number[] = []
    if (this.#resting.length > 0 && restsOnLinks(resource)) this.wake()
    for (const dependency of resource.dependencies ?? []) {
      const need = this.places.of(dependency)
      if (need === place) this.#selfish.set(place, selfDependency(resource.identifier))
      else if (!needs.includes(need)) needs.push(need)
    }
    for (const type of resource.type_dependencies ?? []) {
      const need = this.places.ofType(type)
      if (type === resource.identifier.type) this.#selfish.set(place, selfTypeDependency(resource.identifier))
      else if (!needs.includes(need)) needs.push(need)
    }
    return needs
  }

  #identifierIn(resource: ResourceData, place: number): Identifier {
    return resource.dependencies!.find((dependency) => this.places.of(dependency) === place)!
  }
}

function restsOnLinks({ identifier, dependencies, type_dependencies }: ResourceData): boolean {
  if (linkTypes.includes(identifier.type)) return true
  if (dependencies?.some(({ type }) => linkTypes.includes(type))) return true
  return type_dependencies?.some((type) => linkTypes.includes(type)) ?? false
}
