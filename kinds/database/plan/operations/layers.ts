import { dependencyCycle } from './faults.ts'
import type { ResourceData } from './resource.ts'
import type { VertexIndex } from './vertex-index.ts'

const nothing: readonly number[] = []

/**
 * The dependencies of resources, and the layer of each.
 *
 * The layer of a resource is the length of its longest chain of dependencies: what lies in one layer can be worked on
 * at the same time, layer after layer. The vertex of a type lies as high as its highest member, so that a resource
 * which rests on the type lies above them all. Layers are known only after `settle`, which walks what rests on the
 * given vertices and nothing else.
 */
export class Layers {
  readonly #vertices: VertexIndex
  readonly #actual: readonly (ResourceData | undefined)[]
  readonly #needs: (readonly number[] | undefined)[] = []
  readonly #needing: (number[] | undefined)[] = []
  readonly #layer: number[] = []
  /** Marks of the walk going on: a vertex is in it when its mark is the walk's number. */
  readonly #mark: number[] = []
  readonly #waiting: number[] = []
  #walk = 0

  constructor(vertices: VertexIndex, actual: readonly (ResourceData | undefined)[]) {
    this.#vertices = vertices
    this.#actual = actual
  }

  of(vertex: number): number {
    return this.#layer[vertex]!
  }

  needs(vertex: number): readonly number[] {
    return this.#needs[vertex] ?? nothing
  }

  /** Who rests on this vertex directly. */
  needing(vertex: number): readonly number[] {
    return this.#needing[vertex] ?? nothing
  }

  isNeeded(vertex: number): boolean {
    return this.needing(vertex).length > 0
  }

  /** From now on `vertex` rests on exactly these. */
  rest(vertex: number, needs: readonly number[]): void {
    const before = this.needs(vertex)
    for (const gone of before) {
      if (needs.includes(gone)) continue
      const needing = this.#needing[gone]!
      needing.splice(needing.indexOf(vertex), 1)
    }
    for (const need of needs) {
      if (before.includes(need)) continue
      const needing = this.#needing[need]
      if (needing === undefined) this.#needing[need] = [vertex]
      else needing.push(vertex)
    }
    this.#needs[vertex] = needs
  }

  /** Calls back for every resource that rests on this one, directly or by its type. */
  above(vertex: number, visit: (resting: number) => void): void {
    for (const resting of this.needing(vertex)) visit(resting)
    for (const resting of this.needing(this.#vertices.typeAt[vertex]!)) visit(resting)
  }

  /** Finds the layers of these vertices and of all that rests on them. Refuses a cycle. */
  settle(changed: Iterable<number>): void {
    const region = this.#reach(changed)
    for (const vertex of region) this.#waiting[vertex] = this.#countNeeds(vertex)
    const ready = region.filter((vertex) => this.#waiting[vertex] === 0)
    for (const vertex of ready) {
      this.#layer[vertex] = this.#layerOf(vertex)
      this.#eachResting(vertex, (resting) => {
        if (--this.#waiting[resting]! === 0) ready.push(resting)
      })
    }
    if (ready.length === region.length) return
    const stuck = region.filter((vertex) => this.#waiting[vertex]! > 0 && !this.#vertices.isType(vertex))
    throw dependencyCycle(stuck.slice(0, 5).map((vertex) => this.#actual[vertex]!.identifier))
  }

  /** The vertices in the order they can be taken away: first what nothing rests on, layer by layer. */
  dismantling(leaving: readonly number[]): number[][] {
    const region = this.#reach(leaving)
    const height: number[] = []
    for (const vertex of region) {
      height[vertex] = 0
      this.#waiting[vertex] = 0
      this.#eachResting(vertex, () => this.#waiting[vertex]!++)
    }
    const ready = region.filter((vertex) => this.#waiting[vertex] === 0)
    for (const vertex of ready) {
      // The vertex of a type passes on the height it was given: it is not a step of its own.
      const below = height[vertex]! + (this.#vertices.isType(vertex) ? 0 : 1)
      for (const need of this.#restsOn(vertex)) {
        if (this.#mark[need] !== this.#walk) continue
        height[need] = Math.max(height[need]!, below)
        if (--this.#waiting[need]! === 0) ready.push(need)
      }
    }
    const layers: number[][] = []
    for (const vertex of leaving) {
      const layer = layers[height[vertex]!]
      if (layer === undefined) layers[height[vertex]!] = [vertex]
      else layer.push(vertex)
    }
    return layers.filter((layer) => layer !== undefined)
  }

  /** These vertices and all that rests on them, marked for this walk. */
  #reach(from: Iterable<number>): number[] {
    this.#walk++
    const region: number[] = []
    const enter = (vertex: number) => {
      if (this.#mark[vertex] === this.#walk) return
      this.#mark[vertex] = this.#walk
      region.push(vertex)
    }
    for (const vertex of from) enter(vertex)
    for (const vertex of region) this.#eachResting(vertex, enter)
    return region
  }

  /** As the walk goes: a member of a type that is needed leads to the vertex of its type. */
  #eachResting(vertex: number, visit: (resting: number) => void): void {
    const needing = this.#needing[vertex]
    if (needing !== undefined) for (const resting of needing) visit(resting)
    const type = this.#vertices.typeAt[vertex]!
    if (type !== vertex && this.isNeeded(type)) visit(type)
  }

  #restsOn(vertex: number): Iterable<number> {
    if (!this.#vertices.isType(vertex)) return this.needs(vertex)
    return [...this.#vertices.members(vertex)].filter((member) => this.#actual[member] !== undefined)
  }

  #countNeeds(vertex: number): number {
    let count = 0
    for (const need of this.#restsOn(vertex)) if (this.#mark[need] === this.#walk) count++
    return count
  }

  #layerOf(vertex: number): number {
    let below = -1
    for (const need of this.#restsOn(vertex)) {
      if (this.#actual[need] === undefined && !this.#vertices.isType(need)) continue
      below = Math.max(below, this.#layer[need] ?? -1)
    }
    return this.#vertices.isType(vertex) ? below : below + 1
  }
}
