import type { Fault } from '../../../../shared/runtime/errors.ts'
import type { VmAttributes } from '../../inputs.ts'
import { spaceOf } from '../reservations.ts'
import type { NetworkStrategy } from '../strategy.ts'
import type { ActualVm } from './actual.ts'
import { AddressAllocation, type Allocated, type Lack } from './address-allocation.ts'
import { isPartial, type PlanContext } from './context.ts'
import { diskFaults, planDisk } from './disks.ts'
import { faultAt } from './fault.ts'
import { stemcellOf } from './machine-reasons.ts'
import type { Matching } from './match.ts'
import type { Addressed } from './stages.ts'

export interface Addressing {
  readonly addressed: readonly Addressed[]
  /** Machines of interrupted plans that fit no instance. */
  readonly spares: readonly ActualVm[]
  readonly notes: readonly string[]
  readonly faults: readonly Fault[]
}

/**
 * Second stage: the machine of each instance, with its addresses. Everything that must keep an address takes it before
 * any other instance is given a new one, so that a new instance never pushes an old one away.
 */
export function address(context: PlanContext, { matched, obsolete }: Matching): Addressing {
  const allocation = new AddressAllocation(context, obsolete)
  const kept = matched.map((one) => allocation.keep(one))
  const adopted = kept.map((one) => allocation.adopt(one))
  const allocated = adopted.map((one) => allocation.give(one))
  const addressed = allocated.map((one) => addressedOf(one, context))
  // A plan that is about some instances takes away what interrupted plans have left of these.
  const touched = new Set(matched.flatMap(({ id, isLeft }) => (isLeft ? [] : [id])))
  return {
    addressed,
    spares: allocation.spares.filter((vm) => !isPartial(context) || touched.has(vm.attributes.purpose)),
    notes: allocation.notes,
    faults: [
      ...allocation.lacks.map((lack) => lackFault(lack)),
      ...leftFaults(addressed),
      ...addressed.flatMap((one) => (one.isLeft ? [] : diskFaults(one, one.disk, context.options))),
    ],
  }
}

function addressedOf({ matched, how, reasons, adopted, addresses }: Allocated, context: PlanContext): Addressed {
  const { id, group, index, az, old } = matched
  const { networks: strategies } = context.wanted
  const machine = group.machines[az ?? '']
  const stays = how === 'none' ? old : null
  const networks = stays
    ? stays.attributes.networks
    : group.networks.map(({ name }, at) => addressOn(name, strategies[name], addresses[at] ?? ''))
  // The machine of one that is left as it is may be gone.
  const vm: VmAttributes = stays?.vm
    ? stays.vm.attributes
    : { purpose: id, az, stemcell: stemcellOf(group), hardware: machine?.hardware ?? '', networks }
  return {
    ...matched,
    how,
    reasons: old ? reasons : [{ code: 'instance-new' }],
    vm,
    cid: stays?.cid ?? adopted?.cid ?? context.cids.vm(group.name, index),
    adopted,
    resources: machine?.resources ?? {},
    disk: planDisk(matched, context),
    networks,
  }
}

function addressOn(name: string, network: NetworkStrategy | undefined, given: string): VmAttributes['networks'][0] {
  const space = spaceOf(network, given)
  return { name, address: given, ...(space === undefined ? {} : { space }) }
}

/** A static address may be wanted by another instance than the one that has it and is left as it is. */
function leftFaults(addressed: readonly Addressed[]): Fault[] {
  const holders = new Map(
    addressed.flatMap(({ isLeft, name, networks }) => (isLeft ? networks.map(({ address }) => [address, name]) : [])),
  )
  if (holders.size === 0) return []
  return addressed.flatMap(({ isLeft, name, group, networks }) =>
    networks.flatMap(({ address }) => {
      const holder = isLeft ? undefined : holders.get(address)
      if (holder === undefined) return []
      return [faultAt(group.place, `${name} cannot have address ${address}: ${holder} has it, and is left as it is`)]
    }),
  )
}

function lackFault({ group, network, az, instances, counts }: Lack): Fault {
  const where = az === null ? '' : ` in ${az}`
  const who =
    instances.length === 1 ? instances[0] : `${instances.length} instances, the first of which is ${instances[0]}`
  return faultAt(group.place, `network "${network}" has no free address${where} for ${who}`, { found: counts })
}
