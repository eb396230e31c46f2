import type { Identifier, ResourceData } from './resource.ts'

/** Resources beside the places they have; made by `Places.bind`. */
export interface Bound {
  readonly places: readonly number[]
  readonly resources: readonly ResourceData[]
}

/**
 * Small integers for identifiers and for types, given once and kept, so that graphs are arrays.
 *
 * A type has a place of its own: it stands for "every resource of this type" and is what a type dependency rests on.
 */
export class Places {
  /** Place -> the place of its type; the place of a type is its own. */
  readonly typeAt: number[] = []
  readonly #types = new Map<string, { place: number; byId: Map<string, number> }>()
  readonly #members = new Map<number, Map<string, number>>()

  of({ type, id }: Identifier): number {
    const known = this.#type(type)
    let place = known.byId.get(id)
    if (place === undefined) {
      place = this.typeAt.push(known.place) - 1
      known.byId.set(id, place)
    }
    return place
  }

  ofType(type: string): number {
    return this.#type(type).place
  }

  bind(resources: readonly ResourceData[]): Bound {
    return { places: resources.map((resource) => this.of(resource.identifier)), resources }
  }

  isType(place: number): boolean {
    return this.typeAt[place] === place
  }

  /** Places of all resources of a type that were ever mentioned, standing or not. */
  members(typePlace: number): Iterable<number> {
    return this.#members.get(typePlace)?.values() ?? []
  }

  #type(type: string): { place: number; byId: Map<string, number> } {
    let known = this.#types.get(type)
    if (known === undefined) {
      const place = this.typeAt.length
      this.typeAt.push(place)
      known = { place, byId: new Map() }
      this.#types.set(type, known)
      this.#members.set(place, known.byId)
    }
    return known
  }
}
