import type { Fault } from '../../../../shared/runtime/errors.ts'
import { diskId, instanceName } from '../names.ts'
import type { GroupStrategy } from '../strategy.ts'
import type { Cids } from './cids.ts'
import { faultAt } from './fault.ts'
import type { StandingPlace } from './standing.ts'
import type { DiskTask } from './task.ts'

/** What happens to the disk of a wanted instance. A smaller disk is refused: nothing here may cut off data. */
export function planDisk(
  group: GroupStrategy,
  index: number,
  standing: StandingPlace,
  cids: Cids,
  faults: Fault[],
): DiskTask {
  const id = diskId(group.name, index)
  const have = standing.disks.get(id) ?? null
  const wanted = group.disk
  if (!wanted) return { id, have, cid: null, how: have ? 'delete' : 'none' }
  if (!have || have.missing) return { id, have, cid: cids.disk(group.name, index), how: 'create' }
  if (wanted.sizeMiB < have.attributes.sizeMiB) {
    const message = `the disk of ${instanceName(group.name, index)} cannot become smaller`
    faults.push(
      faultAt(group.place, message, {
        found: `${wanted.sizeMiB} MiB`,
        allowed: `${have.attributes.sizeMiB} MiB or more`,
      }),
    )
  }
  // The type of a disk that no record names is not known.
  const sameType = have.orphan || wanted.type === have.attributes.type
  const same = wanted.sizeMiB === have.attributes.sizeMiB && sameType
  return { id, have, cid: have.cid, how: same ? 'none' : 'resize' }
}
