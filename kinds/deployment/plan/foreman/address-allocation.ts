import type { VmAttributes } from '../../inputs.ts'
import type { DeploymentReason } from '../../reasons.ts'
import { AddressBook } from '../addresses.ts'
import type { GroupNetworkStrategy } from '../strategy.ts'
import type { ActualInstance, ActualVm } from './actual.ts'
import { isPartial, type PlanContext } from './context.ts'
import { machineReasons, stemcellOf } from './machine-reasons.ts'
import type { Addressed, Matched } from './stages.ts'
import type { WantedGroup } from './wanted.ts'

/** Instances of one group that a network has no address for, in one AZ. */
export interface Lack {
  readonly group: WantedGroup
  readonly network: string
  readonly az: string | null
  readonly instances: readonly string[]
  /** How many addresses there are. */
  readonly counts: string
}

/**
 * What has become of an instance's machine and addresses so far; addresses by network, null where there is none yet.
 */
export interface Allocated {
  readonly matched: Matched
  readonly how: Addressed['how']
  /** Why its machine cannot stay. */
  readonly reasons: readonly DeploymentReason[]
  /** Its present addresses that it may keep. */
  readonly kept: readonly (string | null)[]
  readonly addresses: readonly (string | null)[]
  readonly adopted: ActualVm | null
}

/**
 * Addresses and spare machines of one deployment, and who is given which. It changes as it gives;
 * what it returns does not.
 */
export class AddressAllocation {
  readonly #options: PlanContext['options']
  readonly #book: AddressBook
  /** By what they were made for; each is adopted once. */
  readonly #spares: Map<string, readonly ActualVm[]>
  readonly #lacks = new Map<string, Lack & { readonly instances: string[] }>()
  readonly #notes: string[] = []

  constructor(context: PlanContext, obsolete: readonly ActualInstance[]) {
    const { wanted, actual, options, reserved } = context
    this.#options = options
    this.#spares = new Map(actual.spares)
    const addressesOf = (vms: Iterable<ActualVm>) =>
      [...vms].flatMap((vm) => vm.attributes.networks.map((network) => network.address))
    // The address of a machine that is gone counts as held: its corpse may have it until it is deleted.
    const held = new Set(addressesOf(actual.vms.values()))
    const leaving = addressesOf([
      ...(isPartial(context) ? [] : [...actual.spares.values()].flat()),
      ...obsolete.flatMap((instance) => actual.vms.get(instance.cid ?? '') ?? []),
    ])
    this.#book = new AddressBook(wanted.networks, reserved, held, leaving)
  }

  /** Spares that no instance has adopted. */
  get spares(): ActualVm[] {
    return [...this.#spares.values()].flat()
  }

  get lacks(): Lack[] {
    return [...this.#lacks.values()]
  }

  get notes(): readonly string[] {
    return this.#notes
  }

  /** Decides whether the machine stays; takes the addresses that do. */
  keep(matched: Matched): Allocated {
    const { group, old, isLeft } = matched
    if (old && isLeft) return this.#leave(matched, old)
    const kept = group.networks.map((network) => this.#keptOn(network, matched))
    const found = old ? machineReasons(matched, old, this.#options) : []
    const moves = old && found.length === 0 && !sameNetworks(group.networks, kept, old.attributes.networks)
    const reasons: readonly DeploymentReason[] = moves ? [{ code: 'network-changed' }] : found
    const how = !old ? 'create' : reasons.length === 0 ? 'none' : canSwap(matched) ? 'swap' : 'recreate'
    // A hot swap that finds no second address falls back to its own, so no other instance may be given that.
    for (const address of kept) if (address !== null) this.#book.take(address)
    const addresses = how === 'swap' ? group.networks.map(() => null) : kept
    return { matched, how, reasons, kept, addresses, adopted: null }
  }

  /** An instance that is left as it is keeps what it has, whatever networks its group is on by now. */
  #leave(matched: Matched, { attributes }: ActualInstance): Allocated {
    const kept = attributes.networks.map(({ address }) => address)
    for (const address of kept) this.#book.take(address)
    return { matched, how: 'none', reasons: [], kept, addresses: kept, adopted: null }
  }

  /** A spare machine that was made for this instance and is exactly what is wanted is used instead of a new one. */
  adopt(allocated: Allocated): Allocated {
    const { matched, how } = allocated
    // In a delete-create the old machine holds the very address; only where it is gone can a spare have it.
    if (how === 'none' || (how === 'recreate' && matched.old?.vm)) return allocated
    const spares = this.#spares.get(matched.id) ?? []
    const found = spares.find((vm) => this.#isAsWanted(vm, allocated))
    if (!found) return allocated
    this.#spares.set(
      matched.id,
      spares.filter((vm) => vm !== found),
    )
    const addresses = found.attributes.networks.map((network) => network.address)
    for (const address of addresses) this.#book.take(address)
    return { ...allocated, adopted: found, addresses }
  }

  /** Gives the addresses that are still missing: a second set for a hot swap, else those that it has none of. */
  give(allocated: Allocated): Allocated {
    const { matched, how, adopted } = allocated
    if (how !== 'swap' || adopted) return this.#complete(allocated)
    const second = matched.group.networks.map(({ name }) => this.#book.give(name, matched.az, true))
    if (second.every((address) => address !== null)) return { ...allocated, addresses: second }
    this.#notes.push(`${matched.name} is deleted before it is made anew: there is no second address for a hot swap`)
    return this.#complete({ ...allocated, how: 'recreate', addresses: allocated.kept })
  }

  #complete(allocated: Allocated): Allocated {
    const { group, az, isLeft } = allocated.matched
    if (isLeft) return allocated
    const addresses = allocated.addresses.map((address, at) => {
      const network = group.networks[at]!.name
      const given = address ?? this.#book.give(network, az, false)
      if (given === null) this.#note(network, allocated.matched)
      return given
    })
    return { ...allocated, addresses }
  }

  #note(network: string, { group, az, name }: Matched): void {
    const key = JSON.stringify([group.name, network, az])
    const known = this.#lacks.get(key)
    if (known) known.instances.push(name)
    else this.#lacks.set(key, { group, network, az, instances: [name], counts: this.#book.counts(network, az) })
  }

  /** The address of a network that the instance has, or is to have, and no other one has taken. */
  #keptOn(network: GroupNetworkStrategy, { az, statics, old }: Matched): string | null {
    if (network.static) return statics[network.name] ?? null
    const had = old?.attributes.networks.findLast(({ name }) => name === network.name)?.address
    return had !== undefined && this.#isFree(network.name, az, had) ? had : null
  }

  #isFree(network: string, az: string | null, address: string): boolean {
    return this.#book.fits(network, az, address) && !this.#book.isTaken(address)
  }

  #isAsWanted({ attributes, health }: ActualVm, { matched, addresses }: Allocated): boolean {
    const { group, az, statics } = matched
    return (
      (health === 'running' || health === 'failing') &&
      attributes.stemcell === stemcellOf(group) &&
      attributes.hardware === group.machines[az ?? '']?.hardware &&
      attributes.az === az &&
      attributes.networks.length === group.networks.length &&
      group.networks.every((network, at) => {
        const had = attributes.networks[at]
        if (had?.name !== network.name) return false
        if (network.static) return had.address === statics[network.name]
        return had.address === addresses[at] || this.#isFree(network.name, az, had.address)
      })
    )
  }
}

/**
 * Only a machine that answers and whose addresses are not written in the manifest can have its replacement beside it.
 */
function canSwap({ group, old }: Matched): boolean {
  const hasStatic = group.networks.some((network) => network.static !== null)
  return (
    old?.vm != null && old.health !== 'unresponsive' && !hasStatic && group.update.vmStrategy === 'create-swap-delete'
  )
}

function sameNetworks(
  wanted: readonly GroupNetworkStrategy[],
  addresses: readonly (string | null)[],
  have: VmAttributes['networks'],
): boolean {
  return (
    wanted.length === have.length &&
    wanted.every((network, at) => have[at]?.name === network.name && have[at]?.address === addresses[at])
  )
}
