import type { Fault } from '../../../../shared/runtime/errors.ts'
import { diskId, instanceId, instanceName } from '../names.ts'
import { type Placement, place } from '../placement.ts'
import { addressIn, spaceOf } from '../reservations.ts'
import type { ActualInstance, IndexedFloorplan } from './actual.ts'
import type { PlanContext } from './context.ts'
import { faultAt } from './fault.ts'
import { lossFaults, unsaidRenameFaults } from './loss.ts'
import type { Matched } from './stages.ts'
import type { WantedGroup } from './wanted.ts'

export interface Matching {
  readonly matched: readonly Matched[]
  /** Instances that are not wanted any more. */
  readonly obsolete: readonly ActualInstance[]
  readonly faults: readonly Fault[]
}

/** First stage: the index and the AZ of each wanted instance, and which one of the floorplan it is. */
export function match(context: PlanContext): Matching {
  const { wanted, actual } = context
  const groups = wanted.groups.map((group) => matchGroup(group, actual))
  const names = new Set(wanted.groups.map(({ name }) => name))
  const unlisted = [...actual.byGroup].flatMap(([name, instances]) => (names.has(name) ? [] : instances))
  return {
    matched: groups.flatMap(({ matched }) => matched),
    obsolete: [...groups.flatMap(({ obsolete }) => obsolete), ...unlisted],
    faults: [
      ...wanted.groups.flatMap((group) => reservedFaults(group, context)),
      ...groups.flatMap(({ faults }) => faults),
      ...unsaidRenameFaults(wanted, actual),
    ],
  }
}

function matchGroup(group: WantedGroup, actual: IndexedFloorplan): Matching {
  const existing = actual.byGroup.get(group.name) ?? []
  const placement = placeGroup(group, existing, actual)
  const byIndex = new Map(existing.map((instance) => [instance.index, instance]))
  const { fault } = placement
  return {
    matched: placement.placed.map(
      ({ index, az, statics }): Matched => ({
        id: instanceId(group.name, index),
        name: instanceName(group.name, index),
        group,
        index,
        az,
        statics,
        old: byIndex.get(index) ?? null,
      }),
    ),
    obsolete: placement.obsolete.map((index) => byIndex.get(index)!),
    faults: [
      ...lossFaults(group, placement, actual),
      ...(fault ? [faultAt(group.place, `group ${group.name}: ${fault}`)] : []),
    ],
  }
}

function placeGroup(group: WantedGroup, existing: readonly ActualInstance[], { disks }: IndexedFloorplan): Placement {
  const statics = group.networks.flatMap((network) =>
    network.static ? [{ network: network.name, addresses: network.static }] : [],
  )
  return place(
    { count: group.count, azs: group.azs, statics },
    existing.map((instance) => ({
      index: instance.index,
      az: instance.az,
      pinned: group.disk !== null && disks.has(diskId(group.name, instance.index)),
      addresses:
        statics.length === 0
          ? {}
          : Object.fromEntries(instance.attributes.networks.map(({ name, address }) => [name, address])),
    })),
  )
}

/** A static address is of this deployment alone. */
function reservedFaults(group: WantedGroup, { wanted, reserved }: PlanContext): Fault[] {
  return group.networks.flatMap(({ name, static: statics, place: at }) =>
    (statics ?? []).flatMap(({ address }) => {
      const holder = reserved.holderOf(addressIn(spaceOf(wanted.networks[name], address), address))
      if (holder === undefined) return []
      return [faultAt(at ?? group.place, `address ${address} is held by deployment ${holder}`, { found: address })]
    }),
  )
}
