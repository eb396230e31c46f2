import { canonical } from '../../../../shared/model/canonical.ts'
import type { PlanOptions } from '../../../contract/kind.ts'
import type { InstanceAttributes, StepInput } from '../../inputs.ts'
import { diskId } from '../names.ts'
import type { ActualInstance, IndexedFloorplan } from './actual.ts'
import type { Decided } from './stages.ts'

/** What the scripts of an instance that is stopped hear of what comes. */
export type Stopping = Pick<StepInput<'stop-instance'>, 'next' | 'drain' | 'disk'>

const shutdown = ['job_shutdown', 'hash_unchanged']

/** An instance that goes, alone or with its deployment. */
export function leaving(instance: ActualInstance, actual: IndexedFloorplan, options: PlanOptions): Stopping {
  return {
    next: { vm: 'delete', instance: 'delete', deployment: options.remove ? 'delete' : 'keep' },
    drain: shutdown,
    disk: { now: actual.disks.get(diskId(instance.group, instance.index))?.attributes.sizeMiB ?? 0, next: 0 },
  }
}

/** An instance that a person stops: it is there for as long as it takes until they start it again. */
export function staying(instance: ActualInstance, actual: IndexedFloorplan): Stopping {
  const size = actual.disks.get(diskId(instance.group, instance.index))?.attributes.sizeMiB ?? 0
  return {
    next: { vm: 'keep', instance: 'keep', deployment: 'keep' },
    drain: shutdown,
    disk: { now: size, next: size },
  }
}

/** An instance that is started again, on the same machine or on another. */
export function updated(old: ActualInstance, task: Decided): Stopping {
  const stays = task.how === 'update'
  // A disk that is changed is taken off: to BOSH's scripts that is the end of their machine.
  const unmounts = task.disk.how !== 'none'
  return {
    next: { vm: stays ? 'keep' : 'delete', instance: 'keep', deployment: 'keep' },
    drain: stays && !unmounts ? drainArguments(old.attributes, task.attributes) : shutdown,
    disk: { now: task.disk.have?.attributes.sizeMiB ?? 0, next: task.group.disk?.sizeMiB ?? 0 },
  }
}

/** As BOSH's agent has them: whether jobs and their files change, then the packages that do. */
function drainArguments(before: InstanceAttributes, after: InstanceAttributes): string[] {
  const same = (key: 'jobs' | 'configuration') => canonical(before[key]) === canonical(after[key])
  const packages = Object.entries(after.packages).filter(([name, key]) => before.packages[name] !== key)
  return [
    same('jobs') ? 'job_unchanged' : 'job_changed',
    same('configuration') ? 'hash_unchanged' : 'hash_changed',
    ...packages.map(([name]) => name).sort(),
  ]
}
