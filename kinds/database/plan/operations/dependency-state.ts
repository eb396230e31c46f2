import { linkTypes } from './catalogue.ts'
import { missingDependency, selfDependency, selfTypeDependency } from './faults.ts'
import { Layers } from './layers.ts'
import type { Identifier, ResourceData } from './resource.ts'
import { sameEdges } from './same.ts'
import type { Bound, VertexIndex } from './vertex-index.ts'

/**
 * The state while plans are drawn up, one transition after the other, with the graph of dependencies.
 *
 * A transition costs what it changes: nothing is copied, and only the part of the graph above a change is walked.
 * Belongs to one call of an operation and is never handed out.
 */
export class DependencyState {
  /** The resource at a vertex; undefined where it is only mentioned, and at the vertex of a type. */
  readonly actual: (ResourceData | undefined)[] = []
  /** VertexIndex whose resource has an error or must be created again: every transition looks at them. */
  readonly flagged = new Set<number>()
  /** VertexIndex that some plan so far has an event for. */
  readonly planned = new Set<number>()
  readonly vertices: VertexIndex
  readonly layers: Layers

  /** Vertices that a resource rests on and that have no resource. */
  readonly #dangling = new Set<number>()
  /** Resources that depend on themselves. They refuse every plan as long as they stand. */
  readonly #selfish = new Map<number, Error>()
  /** What stood at first could not be ordered: nothing can be planned from it. */
  #groundless: unknown
  #settled = false

  /** Resources of the start that have not been looked at yet, because nothing has happened below them. */
  #resting: readonly ResourceData[]
  #woken: Bound = { vertices: [], resources: [] }

  /**
   * `resting` are links that stand beside `start` and, the databases they rest on existing too, have no part in
   * anything until something changes. A state is mostly links: not looking at them makes planning nothing cheap.
   */
  constructor(vertices: VertexIndex, start: Bound, resting: readonly ResourceData[] = []) {
    this.vertices = vertices
    this.layers = new Layers(vertices, this.actual)
    this.#resting = resting
    for (let index = 0; index < start.vertices.length; index++)
      this.put(start.vertices[index]!, start.resources[index]!)
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
    this.#woken = this.vertices.bind(this.#resting)
    this.#resting = []
    const { vertices, resources } = this.#woken
    for (let index = 0; index < vertices.length; index++) this.put(vertices[index]!, resources[index]!)
    if (this.#groundless === undefined && this.#settled) this.layers.settle(vertices)
  }

  /** The wanted resources with what was woken: a link that is not mentioned stays. */
  withWoken(wanted: Bound): Bound {
    const { vertices, resources } = this.#woken
    if (vertices.length === 0) return wanted
    return { vertices: [...wanted.vertices, ...vertices], resources: [...wanted.resources, ...resources] }
  }

  /** Lets a resource stand at its vertex. True where that changed who rests on whom. */
  put(vertex: number, resource: ResourceData): boolean {
    const before = this.actual[vertex]
    this.actual[vertex] = resource
    if ((resource.needs_recreate || resource.error !== '') && !resource.pending_deletion) this.flagged.add(vertex)
    else if (this.flagged.size > 0) this.flagged.delete(vertex)
    if (before !== undefined && sameEdges(before, resource)) return false
    if (before === undefined && this.#dangling.size > 0) this.#dangling.delete(vertex)
    this.#rest(vertex, this.#needsOf(vertex, resource))
    return true
  }

  remove(vertex: number): void {
    this.#rest(vertex, [])
    this.actual[vertex] = undefined
    this.flagged.delete(vertex)
    if (this.layers.isNeeded(vertex)) this.#dangling.add(vertex)
  }

  /** Every resource that is not at one of these vertices. */
  others(kept: readonly number[]): number[] {
    const keep = new Uint8Array(this.vertices.typeAt.length)
    for (const vertex of kept) keep[vertex] = 1
    const rest: number[] = []
    for (let vertex = 0; vertex < this.actual.length; vertex++) {
      if (keep[vertex] === 0 && this.actual[vertex] !== undefined) rest.push(vertex)
    }
    return rest
  }

  /** Refuses what could not be ordered: a dependency that does not stand, a resource that rests on itself. */
  check(tolerated: ReadonlySet<number> = new Set()): void {
    for (const missing of this.#dangling) {
      if (tolerated.has(missing)) continue
      const of = this.actual[this.layers.needing(missing)[0]!]!
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
    for (const vertex of moved) {
      if (this.actual[vertex] === undefined) continue
      changed.add(vertex)
      for (const need of this.layers.needs(vertex)) if (this.vertices.isType(need)) changed.add(need)
    }
    for (const vertex of removed) {
      const type = this.vertices.typeAt[vertex]!
      if (this.layers.isNeeded(type)) changed.add(type)
    }
    if (changed.size > 0) this.layers.settle(changed)
  }

  *#everything(): Generator<number> {
    for (let vertex = 0; vertex < this.vertices.typeAt.length; vertex++) {
      if (this.actual[vertex] !== undefined || (this.vertices.isType(vertex) && this.layers.isNeeded(vertex)))
        yield vertex
    }
  }

  #rest(vertex: number, needs: readonly number[]): void {
    for (const gone of this.layers.needs(vertex)) if (!needs.includes(gone)) this.#letGo(gone, vertex)
    for (const need of needs) {
      if (this.actual[need] === undefined && !this.vertices.isType(need)) this.#dangling.add(need)
    }
    this.layers.rest(vertex, needs)
  }

  #letGo(need: number, vertex: number): void {
    const others = this.layers.needing(need)
    if (others.length === 1 && others[0] === vertex) this.#dangling.delete(need)
  }

  #needsOf(vertex: number, resource: ResourceData): number[] {
    if (this.#selfish.size > 0) this.#selfish.delete(vertex)
    const needs: number[] = []
    if (this.#resting.length > 0 && restsOnLinks(resource)) this.wake()
    for (const dependency of resource.dependencies ?? []) {
      const need = this.vertices.of(dependency)
      if (need === vertex) this.#selfish.set(vertex, selfDependency(resource.identifier))
      else if (!needs.includes(need)) needs.push(need)
    }
    for (const type of resource.type_dependencies ?? []) {
      const need = this.vertices.ofType(type)
      if (type === resource.identifier.type) this.#selfish.set(vertex, selfTypeDependency(resource.identifier))
      else if (!needs.includes(need)) needs.push(need)
    }
    return needs
  }

  #identifierIn(resource: ResourceData, vertex: number): Identifier {
    return resource.dependencies!.find((dependency) => this.vertices.of(dependency) === vertex)!
  }
}

function restsOnLinks({ identifier, dependencies, type_dependencies }: ResourceData): boolean {
  if (linkTypes.includes(identifier.type)) return true
  if (dependencies?.some(({ type }) => linkTypes.includes(type))) return true
  return type_dependencies?.some((type) => linkTypes.includes(type)) ?? false
}
