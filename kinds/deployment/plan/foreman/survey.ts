import type { ReservedNames } from '../../../../shared/model/reservation.ts'
import type { Fault } from '../../../../shared/runtime/errors.ts'
import type { PlanOptions } from '../../../contract/kind.ts'
import type { InstanceAttributes, VmAttributes } from '../../inputs.ts'
import { AddressBook } from '../addresses.ts'
import { jobsOf } from '../architect.ts'
import { diskId, instanceId, instanceName } from '../names.ts'
import { place } from '../placement.ts'
import { addressIn, spaceOf } from '../reservations.ts'
import type { GroupStrategy, NetworkStrategy, Strategy } from '../strategy.ts'
import type { Cids } from './cids.ts'
import { planDisk } from './disks.ts'
import { faultAt } from './fault.ts'
import { giveAddresses, type Lack, lackFault } from './giving.ts'
import { refuseLoss, refuseUnsaidRename } from './loss.ts'
import { adopt, type Draft, keepOrLeave, stemcellName } from './machine.ts'
import type { StandingInstance, StandingPlace, StandingVm } from './standing.ts'
import type { Task } from './task.ts'

export interface Survey {
  tasks: Task[]
  /** Instances that are not wanted any more. */
  obsolete: StandingInstance[]
  /** Machines of interrupted plans that fit nothing. */
  spares: StandingVm[]
  notes: string[]
  faults: Fault[]
}

/**
 * Where every wanted instance stands, on which machine, with which addresses. Everything that must keep an address claims it
 * before anybody is given a new one, so that a new instance never pushes an old one away.
 */
export function survey(
  strategy: Strategy,
  standing: StandingPlace,
  options: PlanOptions,
  { cids, reserved }: { cids: Cids; reserved: ReservedNames },
): Survey {
  const notes: string[] = []
  const faults: Fault[] = []
  refuseReserved(strategy, reserved, faults)
  const drafts: Draft[] = []
  const obsolete: StandingInstance[] = []
  const wantedGroups = new Set(strategy.groups.map((group) => group.name))
  for (const group of strategy.groups) {
    const existing = standing.byGroup.get(group.name) ?? []
    const placement = placeGroup(group, existing, standing)
    refuseLoss(group, existing, placement, standing, faults)
    if (placement.fault) faults.push(faultAt(group.place, `group ${group.name}: ${placement.fault}`))
    const byIndex = new Map(existing.map((instance) => [instance.index, instance]))
    for (const index of placement.obsolete) obsolete.push(byIndex.get(index)!)
    for (const slot of placement.placed) {
      const old = byIndex.get(slot.index) ?? null
      drafts.push({
        group,
        slot,
        old,
        reasons: [],
        addresses: [],
        kept: [],
        adopted: null,
        how: old ? 'none' : 'create',
      })
    }
  }
  refuseUnsaidRename(strategy, standing, faults)
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
  const book = new AddressBook(strategy.networks, reserved, held, leaving)

  for (const draft of drafts) keepOrLeave(draft, book, options)
  const spares = new Map([...standing.spares].map(([purpose, vms]) => [purpose, [...vms]]))
  for (const draft of drafts) adopt(draft, book, spares)
  const lacking = new Map<string, Lack>()
  for (const draft of drafts) giveAddresses(draft, book, notes, lacking)
  for (const lack of lacking.values()) faults.push(lackFault(lack, book))
  const tasks = drafts.map((draft) => finish(draft, strategy, standing, { cids, faults }))
  for (const task of tasks) {
    if (task.old?.health === 'unresponsive' && task.how === 'none') {
      notes.push(`${task.name} does not answer; nothing about it changes, so it is left alone (recreate makes it anew)`)
    }
  }
  return { tasks, obsolete, spares: [...spares.values()].flat(), notes, faults }
}

function placeGroup(group: GroupStrategy, existing: readonly StandingInstance[], standing: StandingPlace) {
  const statics = group.networks.flatMap((network) =>
    network.static ? [{ network: network.name, addresses: network.static }] : [],
  )
  return place(
    { count: group.instances, azs: group.azs, statics },
    existing.map((instance) => ({
      index: instance.index,
      az: instance.az,
      pinned: group.disk !== null && standing.disks.has(diskId(group.name, instance.index)),
      addresses:
        statics.length === 0
          ? {}
          : Object.fromEntries(instance.attributes.networks.map(({ name, address }) => [name, address])),
    })),
  )
}

function finish(
  draft: Draft,
  strategy: Strategy,
  standing: StandingPlace,
  { cids, faults }: { cids: Cids; faults: Fault[] },
): Task {
  const { group, slot, old, adopted } = draft
  const id = instanceId(group.name, slot.index)
  const machine = group.machines[slot.az ?? '']
  const stays = draft.how === 'none' && old?.vm
  const networks = stays
    ? old.attributes.networks
    : group.networks.map(({ name }, place) => addressOn(name, strategy.networks[name], draft.addresses[place] ?? ''))
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
      ...checksOf(group),
    },
    reasons: old ? draft.reasons : ['instance is new'],
  }
}

function addressOn(name: string, network: NetworkStrategy | undefined, address: string): VmAttributes['networks'][0] {
  const space = spaceOf(network, address)
  return { name, address, ...(space === undefined ? {} : { space }) }
}

/** A static address is of this deployment alone. */
function refuseReserved(strategy: Strategy, reserved: ReservedNames, faults: Fault[]): void {
  for (const group of strategy.groups) {
    for (const { name, static: wanted, place: at } of group.networks) {
      for (const { address } of wanted ?? []) {
        const holder = reserved.holderOf(addressIn(spaceOf(strategy.networks[name], address), address))
        if (holder === undefined) continue
        faults.push(
          faultAt(at ?? group.place, `address ${address} is held by deployment ${holder}`, { found: address }),
        )
      }
    }
  }
}

/** The health checks of the manifest, by job. */
function checksOf(group: GroupStrategy): Pick<InstanceAttributes, 'checks'> {
  const checks = group.jobs.flatMap(({ name, checks: of }) => (of ? [[name, of] as const] : []))
  return checks.length > 0 ? { checks: Object.fromEntries(checks) } : {}
}

const jobs = new WeakMap<GroupStrategy, Record<string, string>>()

/** One object for all instances of a group. */
function cachedJobs(group: GroupStrategy): Record<string, string> {
  const known = jobs.get(group) ?? jobsOf(group)
  jobs.set(group, known)
  return known
}
