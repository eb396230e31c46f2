import type { Fault } from '../../../../shared/runtime/errors.ts'
import { diskId, instanceName, parseSlot } from '../names.ts'
import type { Placement } from '../placement.ts'
import type { GroupStrategy, Strategy } from '../strategy.ts'
import { faultAt } from './fault.ts'
import type { StandingInstance, StandingPlace } from './standing.ts'

/**
 * A group that becomes smaller loses the disks of the instances that go: that is what its manifest says. One that has
 * no place for an instance with a disk, only because of AZs or addresses, would put an empty disk in its stead: that is refused.
 */
export function refuseLoss(
  group: GroupStrategy,
  existing: readonly StandingInstance[],
  { obsolete }: Placement,
  standing: StandingPlace,
  faults: Fault[],
): void {
  if (!group.disk) return
  const holding = existing.filter((instance) => hasDisk(instance, standing))
  const gone = new Set(obsolete)
  const lost = holding.filter(({ index }) => gone.has(index))
  if (lost.length <= Math.max(0, holding.length - group.instances)) return
  const where = (az: string | null) => (az === null ? 'no az' : `az ${az}`)
  const displaced = lost.filter(({ az }) => !(group.azs === null ? az === null : az !== null && group.azs.includes(az)))
  const named = (displaced.length > 0 ? displaced : lost).map(
    ({ index, az }) => `${instanceName(group.name, index)} (${where(az)})`,
  )
  const message = `the data of ${named.join(', ')} would be lost: group ${group.name} has ${
    displaced.length > 0 ? (group.azs ? `az ${group.azs.join(', ')} only` : 'no az') : 'no static address there'
  }`
  const unplaced = displaced.some(({ az }) => az === null)
  faults.push(
    faultAt(group.place, message, {
      allowed: unplaced
        ? `migrated_from with the az that its instances are in: [{name: ${group.name}, az: ${group.azs?.[0]}}]`
        : `${[...new Set(lost.map(({ az }) => where(az)))].join(', ')} among those of the group, or fewer instances`,
    }),
  )
}

/** A group that goes while one with the same job comes, both with disks, has most likely been renamed. */
export function refuseUnsaidRename(strategy: Strategy, standing: StandingPlace, faults: Fault[]): void {
  const wanted = new Set(strategy.groups.map(({ name }) => name))
  const known = new Set([...standing.byGroup.keys(), ...[...standing.disks.keys()].map((id) => parseSlot(id)?.group)])
  const fresh = strategy.groups.filter(
    ({ name, disk, instances }) => disk !== null && instances > 0 && !known.has(name),
  )
  if (fresh.length === 0) return
  for (const [name, instances] of standing.byGroup) {
    if (wanted.has(name) || !instances.some((instance) => hasDisk(instance, standing))) continue
    const jobs = new Set(instances.flatMap(({ attributes }) => Object.keys(attributes.jobs)))
    const heir = fresh.find((group) => group.jobs.some((job) => jobs.has(job.name)))
    if (!heir) continue
    const message = `group ${name} goes with its disks while ${heir.name}, which is new, has the same job: was it renamed?`
    faults.push(
      faultAt(heir.place, message, {
        allowed: `migrated_from: [{name: ${name}}], or a deploy without ${name} before the one that adds ${heir.name}`,
      }),
    )
  }
}

function hasDisk({ group, index }: StandingInstance, standing: StandingPlace): boolean {
  const disk = standing.disks.get(diskId(group, index))
  return disk !== undefined && !disk.missing
}
