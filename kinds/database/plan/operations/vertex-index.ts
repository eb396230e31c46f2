import type { Identifier, ResourceData } from './resource.ts'

/** Resources beside the vertices they have; made by `VertexIndex.bind`. */
export interface Bound {
  readonly vertices: readonly number[]
  readonly resources: readonly ResourceData[]
}

/**
 * Small integers for identifiers and for types, given once and kept, so that graphs are arrays.
 *
 * A type has a vertex of its own: it stands for "every resource of this type" and is what a type dependency rests on.
 */
export class VertexIndex {
  /** Vertex -> the vertex of its type; the vertex of a type is its own. */
  readonly typeAt: number[] = []
  readonly #types = new Map<string, { vertex: number; byId: Map<string, number> }>()
  readonly #members = new Map<number, Map<string, number>>()

  of({ type, id }: Identifier): number {
    const known = this.#type(type)
    let vertex = known.byId.get(id)
    if (vertex === undefined) {
      vertex = this.typeAt.push(known.vertex) - 1
      known.byId.set(id, vertex)
    }
    return vertex
  }

  ofType(type: string): number {
    return this.#type(type).vertex
  }

  bind(resources: readonly ResourceData[]): Bound {
    return { vertices: resources.map((resource) => this.of(resource.identifier)), resources }
  }

  isType(vertex: number): boolean {
    return this.typeAt[vertex] === vertex
  }

  /** VertexIndex of all resources of a type that were ever mentioned, existing or not. */
  members(typePlace: number): Iterable<number> {
    return this.#members.get(typePlace)?.values() ?? []
  }

  #type(type: string): { vertex: number; byId: Map<string, number> } {
    let known = this.#types.get(type)
    if (known === undefined) {
      const vertex = this.typeAt.length
      this.typeAt.push(vertex)
      known = { vertex, byId: new Map() }
      this.#types.set(type, known)
      this.#members.set(vertex, known.byId)
    }
    return known
  }
}
