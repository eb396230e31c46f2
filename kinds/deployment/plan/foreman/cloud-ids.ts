import { createHash } from 'node:crypto'
import { digestOf } from '../../../../shared/model/canonical.ts'

/** A cloud id is a host name (RFC 1035) and part of the path of a socket. */
const longest = 63

/**
 * Cloud ids, chosen before anything is made: `vm-<deployment>-<group>-<index>-<8 hex>`. The same plan chooses the same
 * ids; another floorplan or another blueprint chooses others, so that an id never means two machines.
 */
export class CloudIds {
  readonly #wanted: { readonly deployment: string }
  readonly #version: number
  #seed: string | null = null

  /** @param wanted all of the blueprint that a machine or a disk may depend on. */
  constructor(wanted: { readonly deployment: string }, floorplanVersion: number) {
    this.#wanted = wanted
    this.#version = floorplanVersion
  }

  vm(group: string, index: number): string {
    return this.#cid('vm', group, index)
  }

  disk(group: string, index: number): string {
    return this.#cid('disk', group, index)
  }

  #cid(type: string, group: string, index: number): string {
    this.#seed ??= digestOf(this.#wanted)
    const purpose = `${type}/${group}/${index}`
    const hash = createHash('sha256')
      .update(JSON.stringify([this.#version, this.#seed, purpose]))
      .digest('hex')
    const readable = `${type}-${this.#wanted.deployment}-${group}-${index}`
    // A name that does not fit is cut; more of the hash then keeps equal beginnings apart.
    if (readable.length + 9 <= longest) return `${readable}-${hash.slice(0, 8)}`
    return `${readable.slice(0, longest - 17)}-${hash.slice(0, 16)}`
  }
}
