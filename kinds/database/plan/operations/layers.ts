import { dependencyCycle } from './faults.ts'
import type { Places } from './places.ts'
import type { ResourceData } from './resource.ts'

const nothing: readonly number[] = []

/**
 * The dependencies of resources, and the layer of each.
 *
 * The layer of a resource is the length of its longest chain of dependencies: what lies in one layer can be worked on
 * at the same time, layer after layer. The place of a type lies as high as its highest member, so that a resource which
 * rests on the type lies above them all. Layers are known only after `settle`, which walks what rests on the given
 * places and nothing else.
 */
export class Layers {
  readonly #places: Places
  readonly #standing: readonly (ResourceData | undefined)[]
  readonly #needs: (readonly number[] | undefined)[] = []
  readonly #needing: (number[] | undefined)[] = []
  readonly #layer: number[] = []
  /** Marks of the walk going on: a place is in it when its mark is the walk's number. */
  readonly #mark: number[] = []
  readonly #waiting: number[] = []
  #walk = 0

  constructor(places: Places, standing: readonly (ResourceData | undefined)[]) {
    this.#places = places
    this.#standing = standing
  }

  of(place: number): number {
    return this.#layer[place]!
  }

  needs(place: number): readonly number[] {
    return this.#needs[place] ?? nothing
  }

  /** Who rests on this place directly. */
  needing(place: number): readonly number[] {
    return this.#needing[place] ?? nothing
  }

  isNeeded(place: number): boolean {
    return this.needing(place).length > 0
  }

  /** From now on `place` rests on exactly these. */
  rest(place: number, needs: readonly number[]): void {
    const before = this.needs(place)
    for (const gone of before) {
      if (needs.includes(gone)) continue
      const needing = this.#needing[gone]!
      needing.splice(needing.indexOf(place), 1)
    }
    for (const need of needs) {
      if (before.includes(need)) continue
      const needing = this.#needing[need]
      if (needing === undefined) this.#needing[need] = [place]
      else needing.push(place)
    }
    this.#needs[place] = needs
  }

  /** Calls back for every resource that rests on this one, directly or by its type. */
  above(place: number, visit: (resting: number) => void): void {
    for (const resting of this.needing(place)) visit(resting)
    for (const resting of this.needing(this.#places.typeAt[place]!)) visit(resting)
  }

  /** Finds the layers of these places and of all that rests on them. Refuses a cycle. */
  settle(changed: Iterable<number>): void {
    const region = this.#reach(changed)
    for (const place of region) this.#waiting[place] = this.#countNeeds(place)
    const ready = region.filter((place) => this.#waiting[place] === 0)
    for (const place of ready) {
      this.#layer[place] = this.#layerOf(place)
      this.#eachResting(place, (resting) => {
        if (--this.#waiting[resting]! === 0) ready.push(resting)
      })
    }
    if (ready.length === region.length) return
    const stuck = region.filter((place) => this.#waiting[place]! > 0 && !this.#places.isType(place))
    throw dependencyCycle(stuck.slice(0, 5).map((place) => this.#standing[place]!.identifier))
  }

  /** The places in the order they can be taken away: first what nothing rests on, layer by layer. */
  dismantling(leaving: readonly number[]): number[][] {
    const region = this.#reach(leaving)
    const height: number[] = []
    for (const place of region) {
      height[place] = 0
      this.#waiting[place] = 0
      this.#eachResting(place, () => this.#waiting[place]!++)
    }
    const ready = region.filter((place) => this.#waiting[place] === 0)
    for (const place of ready) {
      // The place of a type passes on the height it was given: it is not a step of its own.
      const below = height[place]! + (this.#places.isType(place) ? 0 : 1)
      for (const need of this.#restsOn(place)) {
        if (this.#mark[need] !== this.#walk) continue
        height[need] = Math.max(height[need]!, below)
        if (--this.#waiting[need]! === 0) ready.push(need)
      }
    }
    const layers: number[][] = []
    for (const place of leaving) {
      const layer = layers[height[place]!]
      if (layer === undefined) layers[height[place]!] = [place]
      else layer.push(place)
    }
    return layers.filter((layer) => layer !== undefined)
  }

  /** These places and all that rests on them, marked for this walk. */
  #reach(from: Iterable<number>): number[] {
    this.#walk++
    const region: number[] = []
    const enter = (place: number) => {
      if (this.#mark[place] === this.#walk) return
      this.#mark[place] = this.#walk
      region.push(place)
    }
    for (const place of from) enter(place)
    for (const place of region) this.#eachResting(place, enter)
    return region
  }

  /** As the walk goes: a member of a type that is needed leads to the place of its type. */
  #eachResting(place: number, visit: (resting: number) => void): void {
    const needing = this.#needing[place]
    if (needing !== undefined) for (const resting of needing) visit(resting)
    const type = this.#places.typeAt[place]!
    if (type !== place && this.isNeeded(type)) visit(type)
  }

  #restsOn(place: number): Iterable<number> {
    if (!this.#places.isType(place)) return this.needs(place)
    return [...this.#places.members(place)].filter((member) => this.#standing[member] !== undefined)
  }

  #countNeeds(place: number): number {
    let count = 0
    for (const need of this.#restsOn(place)) if (this.#mark[need] === this.#walk) count++
    return count
  }

  #layerOf(place: number): number {
    let below = -1
    for (const need of this.#restsOn(place)) {
      if (this.#standing[need] === undefined && !this.#places.isType(need)) continue
      below = Math.max(below, this.#layer[need] ?? -1)
    }
    return this.#places.isType(place) ? below : below + 1
  }
}
