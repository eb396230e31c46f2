import { type Fault, RemodelError } from '../../../../shared/runtime/errors.ts'
import { intentsAfter, partsOf } from '../lifecycle.ts'
import { diskId, instanceId, instanceName } from '../names.ts'
import { type Placement, place } from '../placement.ts'
import { addressIn, spaceOf } from '../reservations.ts'
import type { ActualInstance, IndexedFloorplan } from './actual.ts'
import { isPartial, type PlanContext } from './context.ts'
import { faultAt } from './fault.ts'
import { lossFaults, unsaidRenameFaults } from './loss.ts'
import type { Matched } from './stages.ts'
import type { WantedGroup } from './wanted.ts'

export interface Matching {
  readonly matched: readonly Matched[]
  /** Instances that are not wanted any more. */
  readonly obsolete: readonly ActualInstance[]
  /** Those of them that the plan leaves as they are: it is about other instances. */
  readonly left: readonly ActualInstance[]
  readonly faults: readonly Fault[]
}

/** First stage: the index and the AZ of each wanted instance, and which one of the floorplan it is. */
export function match(context: PlanContext): Matching {
  const { wanted, actual } = context
  const groups = wanted.groups.map((group) => matchGroup(group, actual))
  const names = new Set(wanted.groups.map(({ name }) => name))
  const unlisted = [...actual.byGroup].flatMap(([name, instances]) => (names.has(name) ? [] : instances))
  const matched = groups.flatMap((group) => group.matched)
  const obsolete = [...groups.flatMap((group) => group.obsolete), ...unlisted]
  if (isPartial(context))
    return { matched: onlyConcerned(context.options, matched), obsolete: [], left: obsolete, faults: [] }
  refuseIgnored(obsolete)
  return {
    matched,
    obsolete,
    left: [],
    faults: [
      ...wanted.groups.flatMap((group) => reservedFaults(group, context)),
      ...groups.flatMap(({ faults }) => faults),
      ...unsaidRenameFaults(wanted, actual),
    ],
  }
}

/** Instances that exist: those that an action or a repair is about, and the others to be left as they are. */
function onlyConcerned({ own, repairs = [] }: PlanContext['options'], all: readonly Matched[]): Matched[] {
  const matched = all.filter(({ old }) => old !== null)
  const { lifecycle } = own ?? {}
  const names = matched.map(({ name, group }) => ({ name, group: group.name }))
  const meant = lifecycle ? partsOf(lifecycle, names) : null
  return matched.map((one) => {
    if (!(meant ? meant.has(one.name) : repairs.includes(one.id))) return { ...one, isLeft: true }
    if (!lifecycle) return one
    const { what } = lifecycle
    const intents = intentsAfter(one.intents, what)
    // What runs needs no start, and to be ignored, or no longer, changes nothing of an instance.
    const isMoot = what === 'start' ? one.old?.attributes.state !== 'stopped' : what === 'ignore' || what === 'unignore'
    return { ...one, intents, isLeft: isMoot || intents.length > 0, asked: what }
  })
}

/** Throws `conflict` where a plan would delete an instance that no plan is to touch. */
export function refuseIgnored(leaving: Iterable<ActualInstance>): void {
  const names = [...leaving]
    .filter(({ attributes }) => attributes.intents?.includes('ignored'))
    .map(({ group, index }) => instanceName(group, index))
  if (names.length === 0) return
  const they = names.length === 1 ? 'is' : 'are'
  throw new RemodelError('conflict', `${names.join(', ')} ${they} ignored, and would be deleted: unignore first`)
}

function matchGroup(group: WantedGroup, actual: IndexedFloorplan): Matching {
  const existing = actual.byGroup.get(group.name) ?? []
  const placement = placeGroup(group, existing, actual)
  const byIndex = new Map(existing.map((instance) => [instance.index, instance]))
  const { fault } = placement
  return {
    matched: placement.placed.map(({ index, az, statics }): Matched => {
      const old = byIndex.get(index) ?? null
      const intents = old?.attributes.intents ?? []
      const [id, name] = [instanceId(group.name, index), instanceName(group.name, index)]
      const isLeft = intents.length > 0
      return { id, name, group, index, az, statics, old, intents, isLeft, asked: null }
    }),
    obsolete: placement.obsolete.map((index) => byIndex.get(index)!),
    left: [],
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
