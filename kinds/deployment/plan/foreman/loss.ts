import type { Fault } from '../../../../shared/runtime/errors.ts'
import { diskId, instanceName } from '../names.ts'
import type { Placement } from '../placement.ts'
import type { ActualInstance, IndexedFloorplan } from './actual.ts'
import { faultAt } from './fault.ts'
import type { Wanted, WantedGroup } from './wanted.ts'

/**
 * A group that becomes smaller loses the disks of the instances that go: that is what its manifest says. One that
 * has no place for an instance with a disk, only because of AZs or addresses, would put an empty disk in its
 * stead: that is refused.
 */
export function lossFaults(group: WantedGroup, { obsolete }: Placement, actual: IndexedFloorplan): Fault[] {
  if (!group.disk) return []
  const holding = (actual.byGroup.get(group.name) ?? []).filter((instance) => hasDisk(instance, actual))
  const gone = new Set(obsolete)
  const lost = holding.filter(({ index }) => gone.has(index))
  if (lost.length <= Math.max(0, holding.length - group.count)) return []
  const where = (az: string | null) => (az === null ? 'no az' : `az ${az}`)
  const displaced = lost.filter(({ az }) => !(group.azs === null ? az === null : az !== null && group.azs.includes(az)))
  const named = (displaced.length > 0 ? displaced : lost).map(
    ({ index, az }) => `${instanceName(group.name, index)} (${where(az)})`,
  )
  const message = `the data of ${named.join(', ')} would be lost: group ${group.name} has ${
    displaced.length > 0 ? (group.azs ? `az ${group.azs.join(', ')} only` : 'no az') : 'no static address there'
  }`
  const unplaced = displaced.some(({ az }) => az === null)
  return [
    faultAt(group.place, message, {
      allowed: unplaced
        ? `migrated_from with the az that its instances are in: [{name: ${group.name}, az: ${group.azs?.[0]}}]`
        : `${[...new Set(lost.map(({ az }) => where(az)))].join(', ')} among those of the group, or fewer instances`,
    }),
  ]
}

/** A group that goes while one with the same job comes, both with disks, has most likely been renamed. */
export function unsaidRenameFaults({ groups }: Wanted, actual: IndexedFloorplan): Fault[] {
  const wanted = new Set(groups.map(({ name }) => name))
  const known = new Set([...actual.byGroup.keys(), ...[...actual.disks.values()].map(({ slot }) => slot?.group)])
  const fresh = groups.filter(({ name, disk, count }) => disk !== null && count > 0 && !known.has(name))
  if (fresh.length === 0) return []
  return [...actual.byGroup].flatMap(([name, instances]) => {
    if (wanted.has(name) || !instances.some((instance) => hasDisk(instance, actual))) return []
    const jobs = new Set(instances.flatMap(({ attributes }) => Object.keys(attributes.jobs)))
    const heir = fresh.find((group) => group.jobs.some((job) => jobs.has(job.name)))
    if (!heir) return []
    const message = `group ${name} goes with its disks while ${heir.name}, which is new, has the same job: was it renamed?`
    const allowed = `migrated_from: [{name: ${name}}], or a deploy without ${name} before the one that adds ${heir.name}`
    return [faultAt(heir.place, message, { allowed })]
  })
}

function hasDisk({ group, index }: ActualInstance, actual: IndexedFloorplan): boolean {
  const disk = actual.disks.get(diskId(group, index))
  return disk !== undefined && !disk.missing
}
