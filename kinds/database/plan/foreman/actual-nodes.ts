import { type ActualMaterial, type Floorplan, materialName, materialType } from '../../../../shared/model/material.ts'
import { RemodelError } from '../../../../shared/runtime/errors.ts'
import { suggest } from '../../../../shared/source/document.ts'
import { InstanceAttributes, type Member } from '../../inputs.ts'
import { findActual, findResource, type State } from '../operations/operations.ts'
import { stateOfFloorplan } from '../state.ts'
import type { Surroundings } from './handover-remodels.ts'
import { NodeView } from './node-view.ts'

interface ActualServer {
  id: string
  attributes: InstanceAttributes
}

/** The nodes of a database as the inspector has just found them, for plans that no document asks for. */
export class ActualNodes {
  readonly deployment: string
  readonly #byId: ReadonlyMap<string, ActualMaterial>
  readonly #state: State
  /** Node -> its servers, both in the order of their names. */
  readonly #nodes: ReadonlyMap<string, readonly ActualServer[]>

  constructor({ deployment, materials }: Floorplan) {
    this.deployment = deployment
    this.#byId = new Map(materials.map((material) => [material.id, material]))
    this.#state = stateOfFloorplan(materials)
    const servers = materials
      .filter(({ id }) => materialType(id) === 'instance')
      .map(({ id, attributes }) => ({
        id: materialName(id),
        attributes: InstanceAttributes.parse(attributes),
      }))
      .sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }))
    this.#nodes = Map.groupBy(servers, ({ attributes }) => attributes.node)
  }

  get names(): string[] {
    return [...this.#nodes.keys()]
  }

  serversOf(node: string): string[] {
    return (this.#nodes.get(node) ?? []).map(({ id }) => id)
  }

  /** Throws `not-found` with the servers that there are. */
  nodeOf(server: string): string {
    const node = this.names.find((name) => this.serversOf(name).includes(server))
    if (node !== undefined) return node
    throw this.unknown('server', server, this.#all)
  }

  /** Nodes and servers by name, as servers; none means all. Throws `not-found`. */
  chosen(parts: readonly string[]): string[] {
    const found = parts.flatMap((part) => {
      if (this.#nodes.has(part)) return this.serversOf(part)
      if (this.#all.includes(part)) return [part]
      throw this.unknown('node or server', part, [...this.names, ...this.#all])
    })
    return parts.length === 0 ? this.#all : this.#all.filter((server) => found.includes(server))
  }

  get #all(): string[] {
    return this.names.flatMap((name) => this.serversOf(name))
  }

  /** `not-found`, with the nearest name. */
  unknown(what: string, name: string, known: readonly string[]): RemodelError {
    const { suggestion } = suggest(name, known)
    const near = suggestion ? `; did you mean ${suggestion}?` : `; it has ${known.join(', ') || 'none'}`
    return new RemodelError('not-found', `${this.deployment} has no ${what} ${name}${near}`, { details: { known } })
  }

  viewOf(node: string): NodeView {
    return new NodeView(this.#byId, {
      node_name: node,
      instances: this.serversOf(node).map((instance_id) => ({ instance_id })),
    })
  }

  membersOf(node: string): Member[] {
    return (this.#nodes.get(node) ?? []).map(({ id, attributes: { vm, address, port } }) => ({
      instance: id,
      vm,
      address,
      port,
    }))
  }

  /** What all servers of a node have in common, as the first of them is recorded. */
  attributesOf(node: string): InstanceAttributes | undefined {
    return this.#nodes.get(node)?.[0]?.attributes
  }

  meta(server: string): ActualMaterial['meta'] {
    return this.#byId.get(`instance/${server}`)?.meta ?? {}
  }

  isSynchronous(node: string): boolean {
    return (this.#nodes.get(node) ?? []).some(({ attributes }) => attributes.synchronous)
  }

  /** A deploy that adds it was cut off, or one that removes it: only a deploy may go on with it. */
  whyUnfinished(node: string): string | undefined {
    if (findActual(this.#state, 'database.node', node) === undefined) return `${node} is not whole`
    if (findActual(this.#state, 'database.roles_source', node) !== undefined)
      return `${node} is being filled from another node`
    return this.#byId.get(`node/${node}`)?.meta.drain === undefined ? undefined : `the writes of ${node} were stopped`
  }

  get surroundings(): Surroundings {
    return {
      deployment: this.deployment,
      membersOf: (node) => this.membersOf(node),
      actual: (type, id) => findResource(this.#state, type, id),
      isSynchronous: (node) => this.isSynchronous(node),
    }
  }
}
