import type { PlanOptions } from '../../../contract/kind.ts'
import type { VmAttributes } from '../../inputs.ts'
import type { AddressBook } from '../addresses.ts'
import { instanceId } from '../names.ts'
import type { Placed } from '../placement.ts'
import type { GroupNetworkStrategy, GroupStrategy } from '../strategy.ts'
import { machineReasons } from './machine-reasons.ts'
import type { StandingInstance, StandingVm } from './standing.ts'
import type { How } from './task.ts'

/** A wanted instance before it has addresses. */
export interface Draft {
  group: GroupStrategy
  slot: Placed
  old: StandingInstance | null
  /** Why its machine cannot stay, addresses aside. */
  reasons: string[]
  addresses: (string | null)[]
  /** Its present addresses that it may keep, by network. */
  kept: (string | null)[]
  adopted: StandingVm | null
  how: How
}

export function stemcellName(group: GroupStrategy): string {
  return `${group.stemcell.name}/${group.stemcell.version}`
}

/** Decides whether the machine stays; claims the addresses that do. */
export function keepOrLeave(draft: Draft, book: AddressBook, options: PlanOptions): void {
  const { group, slot, old } = draft
  const machine = group.machines[slot.az ?? '']
  if (old) draft.reasons = machineReasons(group, slot, old, machine?.hardware ?? '', options)
  const hadStatic = group.networks.some((network) => network.static !== null)
  const canSwap =
    old?.vm != null && old.health !== 'unresponsive' && !hadStatic && group.update.vmStrategy === 'create-swap-delete'
  const had = new Map(old?.attributes.networks.map((network) => [network.name, network.address]))
  draft.kept = group.networks.map((network) => {
    if (network.static) return slot.statics[network.name] ?? null
    const address = had.get(network.name)
    return address !== undefined && book.fits(network.name, slot.az, address) && !book.isClaimed(address)
      ? address
      : null
  })
  if (old && draft.reasons.length === 0 && !sameNetworks(group.networks, draft.kept, old.attributes.networks))
    draft.reasons.push('network changed')
  if (old && draft.reasons.length > 0) draft.how = canSwap ? 'swap' : 'recreate'
  // A hot swap that finds no second address falls back to its own, so nobody else may have that.
  for (const address of draft.kept) if (address !== null) book.claim(address)
  draft.addresses = draft.how === 'swap' ? group.networks.map(() => null) : draft.kept
}

function sameNetworks(
  wanted: readonly GroupNetworkStrategy[],
  addresses: readonly (string | null)[],
  have: VmAttributes['networks'],
): boolean {
  return (
    wanted.length === have.length &&
    wanted.every((network, place) => have[place]?.name === network.name && have[place]?.address === addresses[place])
  )
}

/** A spare machine that was made for this instance and is exactly what is wanted is used instead of a new one. */
export function adopt(draft: Draft, book: AddressBook, spares: Map<string, StandingVm[]>): void {
  const { group, slot, how, old } = draft
  // In a delete-create the old machine holds the very address; only where it is gone can a spare have it.
  if (how === 'none' || how === 'update' || (how === 'recreate' && old?.vm)) return
  const candidates = spares.get(instanceId(group.name, slot.index)) ?? []
  const found = candidates.find((vm) => {
    const { attributes, health } = vm
    return (
      (health === 'running' || health === 'failing') &&
      attributes.stemcell === stemcellName(group) &&
      attributes.hardware === group.machines[slot.az ?? '']?.hardware &&
      attributes.az === slot.az &&
      attributes.networks.length === group.networks.length &&
      group.networks.every((network, place) => {
        const had = attributes.networks[place]
        if (had?.name !== network.name) return false
        if (network.static) return had.address === slot.statics[network.name]
        return (
          had.address === draft.addresses[place] ||
          (book.fits(network.name, slot.az, had.address) && !book.isClaimed(had.address))
        )
      })
    )
  })
  if (!found) return
  candidates.splice(candidates.indexOf(found), 1)
  draft.adopted = found
  draft.addresses = found.attributes.networks.map((network) => network.address)
  for (const address of draft.addresses) if (address !== null) book.claim(address)
}
