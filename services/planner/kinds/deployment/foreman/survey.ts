import type { Fault } from '../../../../../shared/errors.ts'
import type { VmAttributes } from '../../../../../shared/kinds/deployment.ts'
import type { PlanOptions } from '../../kind.ts'
import { AddressBook } from '../addresses.ts'
import { jobsOf } from '../architect.ts'
import { diskId, instanceId, instanceName } from '../names.ts'
import { type Placed, place } from '../placement.ts'
import type { GroupNetworkStrategy, GroupStrategy, Strategy } from '../strategy.ts'
import type { Cids } from './cids.ts'
import { planDisk } from './disks.ts'
import { faultAt } from './fault.ts'
import { machineReasons } from './machine_reasons.ts'
import type { StandingInstance, StandingPlace, StandingVm } from './standing.ts'
import type { How, Task } from './task.ts'

export interface Survey {
  tasks: Task[]
  /** Instances that are not wanted any more. */
  obsolete: StandingInstance[]
  /** Machines of interrupted plans that fit nothing. */
  spares: StandingVm[]
  notes: string[]
  faults: Fault[]
}

/** A wanted instance before it has addresses. */
interface Draft {
  group: GroupStrategy
  slot: Placed
  old: StandingInstance | null
  /** Why its machine cannot stay, addresses aside. */
  reasons: string[]
  addresses: (string | null)[]
  adopted: StandingVm | null
  how: How
}

/**
 * Where every wanted instance stands, on which machine, with which addresses. Everything that must keep an address claims it
 * before anybody is given a new one, so that a new instance never pushes an old one away.
 */
export function survey(strategy: Strategy, standing: StandingPlace, options: PlanOptions, cids: Cids): Survey {
  const notes: string[] = []
  const faults: Fault[] = []
  const drafts: Draft[] = []
  const obsolete: StandingInstance[] = []
  const wantedGroups = new Set(strategy.groups.map((group) => group.name))
  for (const group of strategy.groups) {
    refuseRename(group, standing, wantedGroups, faults)
    const existing = standing.byGroup.get(group.name) ?? []
    const placement = placeGroup(group, existing, standing)
    if (placement.fault) faults.push(faultAt(group.place, `group ${group.name}: ${placement.fault}`))
    const byIndex = new Map(existing.map((instance) => [instance.index, instance]))
    for (const index of placement.obsolete) obsolete.push(byIndex.get(index)!)
    for (const slot of placement.placed) {
      const old = byIndex.get(slot.index) ?? null
      drafts.push({ group, slot, old, reasons: [], addresses: [], adopted: null, how: old ? 'none' : 'create' })
    }
  }
  for (const [name, instances] of standing.byGroup) if (!wantedGroups.has(name)) obsolete.push(...instances)

  const held = new Set<string>()
  for (const vm of standing.vms.values()) {
    // A machine that is gone counts too: its corpse may still hold the address until it is deleted.
    for (const network of vm.attributes.networks) held.add(network.address)
  }
  const leaving = [
    ...[...standing.spares.values()].flat(),
    ...obsolete.flatMap((instance) => standing.vms.get(instance.cid ?? '') ?? []),
  ].flatMap((vm) => vm.attributes.networks.map((network) => network.address))
  const book = new AddressBook(strategy.networks, strategy.taken, held, leaving)

  for (const draft of drafts) keepOrLeave(draft, book, options)
  const spares = new Map([...standing.spares].map(([purpose, vms]) => [purpose, [...vms]]))
  for (const draft of drafts) adopt(draft, book, spares)
  for (const draft of drafts) giveAddresses(draft, book, notes, faults)
  const tasks = drafts.map((draft) => finish(draft, standing, cids, faults))
  for (const task of tasks) {
    if (task.old?.health === 'unresponsive' && task.how === 'none') {
      notes.push(`${task.name} does not answer; nothing about it changes, so it is left alone (recreate makes it anew)`)
    }
  }
  return { tasks, obsolete, spares: [...spares.values()].flat(), notes, faults }
}

/** A renamed group would lose its disks if it were taken for a new one. */
function refuseRename(
  group: GroupStrategy,
  standing: StandingPlace,
  wanted: ReadonlySet<string>,
  faults: Fault[],
): void {
  for (const name of group.migratedFrom) {
    if (name !== group.name && !wanted.has(name) && standing.byGroup.has(name)) {
      faults.push(
        faultAt(
          group.place,
          `group ${name} cannot become ${group.name}: migrated_from of a standing group is not supported`,
        ),
      )
    }
  }
}

function placeGroup(group: GroupStrategy, existing: readonly StandingInstance[], standing: StandingPlace) {
  const statics = group.networks.flatMap((network) =>
    network.static ? [{ network: network.name, addresses: network.static }] : [],
  )
  return place(
    { count: group.instances, azs: group.azs, statics },
    existing.map((instance) => ({
      index: instance.index,
      az: instance.attributes.az,
      pinned: group.disk !== null && standing.disks.has(diskId(group.name, instance.index)),
      addresses:
        statics.length === 0
          ? {}
          : Object.fromEntries(instance.attributes.networks.map(({ name, address }) => [name, address])),
    })),
  )
}

/** Decides whether the machine stays; claims the addresses that do. */
function keepOrLeave(draft: Draft, book: AddressBook, options: PlanOptions): void {
  const { group, slot, old } = draft
  const machine = group.machines[slot.az ?? '']
  if (old) draft.reasons = machineReasons(group, slot, old, machine?.hardware ?? '', options)
  const hadStatic = group.networks.some((network) => network.static !== null)
  const canSwap =
    old?.vm != null && old.health !== 'unresponsive' && !hadStatic && group.update.vmStrategy === 'create-swap-delete'
  const had = new Map(old?.attributes.networks.map((network) => [network.name, network.address]))
  const kept = group.networks.map((network) => {
    if (network.static) return slot.statics[network.name] ?? null
    const address = had.get(network.name)
    return address !== undefined && book.fits(network.name, slot.az, address) && !book.isClaimed(address)
      ? address
      : null
  })
  if (old && draft.reasons.length === 0 && !sameNetworks(group.networks, kept, old.attributes.networks))
    draft.reasons.push('network changed')
  if (old && draft.reasons.length > 0) draft.how = canSwap ? 'swap' : 'recreate'
  draft.addresses = draft.how === 'swap' ? group.networks.map(() => null) : kept
  for (const address of draft.addresses) if (address !== null) book.claim(address)
  // A hot swap that finds no second address falls back to its own, so nobody else may have that.
  if (draft.how === 'swap') for (const address of kept) if (address !== null) book.claim(address)
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
function adopt(draft: Draft, book: AddressBook, spares: Map<string, StandingVm[]>): void {
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

function giveAddresses(draft: Draft, book: AddressBook, notes: string[], faults: Fault[]): void {
  const { group, slot, old } = draft
  if (draft.how === 'swap' && !draft.adopted) {
    const given = group.networks.map((network) => book.give(network.name, slot.az, true))
    if (given.every((address) => address !== null)) {
      draft.addresses = given
      return
    }
    draft.how = 'recreate'
    const had = new Map(old?.attributes.networks.map((network) => [network.name, network.address]))
    draft.addresses = group.networks.map((network) => {
      const address = had.get(network.name)
      return address !== undefined && book.fits(network.name, slot.az, address) ? address : null
    })
    notes.push(
      `${instanceName(group.name, slot.index)} is deleted before it is made anew: there is no second address for a hot swap`,
    )
  }
  draft.addresses = draft.addresses.map((address, place) => {
    const network = group.networks[place]!
    const given = address ?? book.give(network.name, slot.az, false)
    if (given === null) {
      const where = slot.az === null ? '' : ` in ${slot.az}`
      const message = `network "${network.name}" has no free address${where} for ${instanceName(group.name, slot.index)}`
      faults.push(faultAt(group.place, message, { found: book.counts(network.name, slot.az) }))
    }
    return given
  })
}

export function stemcellName(group: GroupStrategy): string {
  return `${group.stemcell.name}/${group.stemcell.version}`
}

function finish(draft: Draft, standing: StandingPlace, cids: Cids, faults: Fault[]): Task {
  const { group, slot, old, adopted } = draft
  const id = instanceId(group.name, slot.index)
  const machine = group.machines[slot.az ?? '']
  const stays = draft.how === 'none' && old?.vm
  const networks = stays
    ? old.attributes.networks
    : group.networks.map((network, place) => ({ name: network.name, address: draft.addresses[place] ?? '' }))
  const vm: VmAttributes = stays
    ? stays.attributes
    : { purpose: id, az: slot.az, stemcell: stemcellName(group), hardware: machine?.hardware ?? '', networks }
  return {
    id,
    name: instanceName(group.name, slot.index),
    group,
    index: slot.index,
    az: slot.az,
    how: draft.how,
    old,
    vm,
    cid: stays ? stays.cid : (adopted?.cid ?? cids.vm(group.name, slot.index)),
    adopted,
    resources: machine?.resources ?? {},
    disk: planDisk(group, slot.index, standing, cids, faults),
    attributes: {
      az: slot.az,
      networks,
      jobs: cachedJobs(group),
      packages: group.packages,
      configuration: {},
      state: 'started',
    },
    reasons: old ? draft.reasons : ['instance is new'],
  }
}

const jobs = new WeakMap<GroupStrategy, Record<string, string>>()

/** One object for all instances of a group. */
function cachedJobs(group: GroupStrategy): Record<string, string> {
  const known = jobs.get(group) ?? jobsOf(group)
  jobs.set(group, known)
  return known
}
