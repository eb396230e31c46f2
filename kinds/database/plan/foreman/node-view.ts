import { type ActualMaterial, materialName, materialType } from '../../../../shared/model/material.ts'
import { linkName } from '../../postgres/names.ts'
import { comparePositions, Position } from '../../postgres/position.ts'
import { Commits, commitsOf } from '../../postgres/quorum.ts'
import type { InstanceResources, NodeResources } from '../operations/operations.ts'

/** A node by its name and the instances that it is to keep. */
export type NodeInstances = Pick<NodeResources, 'node_name'> & {
  readonly instances: readonly Pick<InstanceResources, 'instance_id'>[] | null
}

/** A node as the inspector found it: who answers, who takes writes, who may be woken, and how far each had come. */
export class NodeView {
  readonly node: string
  /** Who was its primary, by the record or by its own word. */
  readonly primary: string
  /** Servers that stand, those too that are to go. */
  readonly servers: readonly string[]
  /** Servers that stand and stay. */
  readonly staying: readonly string[]
  readonly #byId: ReadonlyMap<string, ActualMaterial>

  constructor(byId: ReadonlyMap<string, ActualMaterial>, { node_name: node, instances }: NodeInstances) {
    this.node = node
    this.#byId = byId
    const primary = this.#node?.attributes.primary_instance_id
    this.primary = typeof primary === 'string' ? primary : ''
    this.staying = (instances ?? []).map(({ instance_id }) => instance_id).filter((id) => byId.has(`instance/${id}`))
    const others = [...byId.values()].filter(
      ({ id, attributes }) => materialType(id) === 'instance' && attributes.node === node,
    )
    this.servers = [...new Set([...this.staying, ...others.map(({ id }) => materialName(id))])]
  }

  get #node(): ActualMaterial | undefined {
    return this.#byId.get(`node/${this.node}`)
  }

  #instance(server: string): ActualMaterial | undefined {
    return this.#byId.get(`instance/${server}`)
  }

  #host(server: string): ActualMaterial | undefined {
    return this.#byId.get(`host/${this.#instance(server)?.attributes.host_id}`)
  }

  answers(server: string): boolean {
    return this.#instance(server)?.meta.health === 'running'
  }

  isReplica(server: string): boolean {
    return this.answers(server) && this.#instance(server)?.meta.role === 'replica'
  }

  machineIsGone(server: string): boolean {
    return this.#host(server)?.meta.health === 'missing'
  }

  /**
   * Its machine exists, and no server on it can take writes: ended first, it can be made anew. Empty: one can. A server
   * that runs on a full disk can neither write nor shut down in order, as its last checkpoint needs room.
   */
  whyOut(server: string): string {
    if (this.#host(server)?.meta.health === 'silent') return `the machine of ${server} does not answer`
    return this.hasFullDisk(server) ? `the disk of ${server} is full` : ''
  }

  /** Its machine answers; what is written there fails. */
  hasFullDisk(server: string): boolean {
    return this.#instance(server)?.meta.full === true
  }

  /** Its machine is gone, its disk is there. */
  diskStands(server: string): boolean {
    return this.#host(server)?.meta.disk === 'there'
  }

  /** It does not answer while its machine does: it can be started. */
  canBeWoken(server: string): boolean {
    const machine = this.#host(server)?.meta.health === 'running' && this.#instance(server)?.meta.machine !== 'silent'
    return !this.answers(server) && machine
  }

  /** Not where it was seen that its machine has none, or that machine and disk are gone. */
  hasData(server: string): boolean {
    if (this.answers(server)) return true
    if (this.machineIsGone(server)) return this.diskStands(server)
    return this.#instance(server)?.meta.data !== false
  }

  /** Its primary answers. */
  get takesWrites(): boolean {
    return this.answers(this.primary) && !this.isReplica(this.primary)
  }

  /** All that it acknowledged is on the other nodes, and it takes no writes any more. */
  get isDrained(): boolean {
    return this.#node?.meta.drain === 'done'
  }

  /** Why it cannot take over as it is, as one phrase; empty where it can. */
  fault(server: string): string {
    const { resource, lag_bytes: lag } = this.#instance(server)?.meta ?? {}
    if (!this.answers(server)) return `${server} does not answer`
    if (this.hasFullDisk(server)) return this.whyOut(server)
    const { error } = (resource ?? {}) as { error?: unknown }
    if (typeof error === 'string' && error !== '') return `${server}: ${error}`
    return lag === null ? `${server} follows no server` : ''
  }

  /**
   * A change of its primary was cut off: the one that was it is a replica now, or would start as one,
   * and there is no other.
   */
  get isCutOff(): boolean {
    if (this.servers.some((server) => this.#instance(server)?.meta.role === 'primary')) return false
    return this.isReplica(this.primary) || this.#instance(this.primary)?.meta.demoted === true
  }

  /** What commits wait for, as it was arranged last; where that is not recorded, as the instances are to have it. */
  get commits(): Commits {
    const known = Commits.safeParse(this.#node?.meta.commits)
    if (known.success) return known.data
    const synchronous = this.servers.every((server) => this.#instance(server)?.attributes.synchronous !== false)
    return commitsOf(this.servers, synchronous)
  }

  /** How far it had come when it was seen last; null where that is not known. */
  position(server: string): Position | null {
    const { received, timeline } = this.#instance(server)?.meta ?? {}
    if (this.answers(server)) return { timeline: Number(timeline ?? 0), lsn: Number(received ?? 0) }
    const seen = (this.#node?.meta.seen ?? {}) as Record<string, unknown>
    const last = Position.safeParse(seen[server])
    return last.success ? last.data : null
  }

  /** Of these the one that has most of the log. */
  furthest(servers: readonly string[]): string | undefined {
    const nothing = { timeline: 0, lsn: 0 }
    return [...servers].sort((a, b) => comparePositions(this.position(b) ?? nothing, this.position(a) ?? nothing))[0]
  }

  /**
   * The slots that other nodes read from this one. A replica promoted without them would make their readers lose the
   * changes written in between.
   */
  get slots(): string[] {
    return [...this.#byId.values()]
      .filter(({ id, attributes }) => materialType(id) === 'replication_slot' && attributes.provider_node === this.node)
      .map(({ attributes }) => linkName(this.node, String(attributes.subscriber_node)))
  }

  hasSlots(server: string): boolean {
    const kept = this.#instance(server)?.meta.slots
    return this.slots.every((slot) => Array.isArray(kept) && kept.includes(slot))
  }
}
