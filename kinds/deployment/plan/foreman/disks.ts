import type { Fault } from '../../../../shared/runtime/errors.ts'
import type { PlanOptions } from '../../../contract/kind.ts'
import { diskId } from '../names.ts'
import type { PlanContext } from './context.ts'
import { faultAt } from './fault.ts'
import type { DiskTask, Matched } from './stages.ts'

/** What happens to the disk of a wanted instance. */
export function planDisk({ group, index, isLeft }: Matched, { actual, cids }: PlanContext): DiskTask {
  const id = diskId(group.name, index)
  const have = actual.disks.get(id) ?? null
  if (isLeft) return { id, have, cid: have?.cid ?? null, how: 'none' }
  const wanted = group.disk
  if (!wanted) return { id, have, cid: null, how: have ? 'delete' : 'none' }
  if (!have || have.missing) return { id, have, cid: cids.disk(group.name, index), how: 'create' }
  // The type of a disk that no record names is not known.
  const sameType = have.orphan || wanted.type === have.attributes.type
  const same = wanted.sizeMiB === have.attributes.sizeMiB && sameType
  return { id, have, cid: have.cid, how: same ? 'none' : 'resize' }
}

/**
 * A smaller disk is refused: nothing here may cut off data. So is an empty one that a repair would put in the place of
 * one that is gone.
 */
export function diskFaults({ name, group }: Matched, { have, how }: DiskTask, { repairs }: PlanOptions): Fault[] {
  if (repairs && have?.missing) {
    const message = `the disk of ${name} is gone, and a repair gives it no empty one: deploy again where that is wanted`
    return [faultAt(group.place, message)]
  }
  const [wanted, actual] = [group.disk, have?.attributes]
  if (how !== 'resize' || !wanted || !actual || wanted.sizeMiB >= actual.sizeMiB) return []
  const more = { found: `${wanted.sizeMiB} MiB`, allowed: `${actual.sizeMiB} MiB or more` }
  return [faultAt(group.place, `the disk of ${name} cannot become smaller`, more)]
}
