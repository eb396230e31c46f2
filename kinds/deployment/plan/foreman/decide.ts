import { canonical } from '../../../../shared/model/canonical.ts'
import type { Cids } from './cids.ts'
import { stemcellName } from './machine.ts'
import type { Task } from './task.ts'

/** After rendering: adds why what runs on a machine has to change, and turns `none` into `update` where it has. */
export function decide(tasks: readonly Task[], cids: Cids): void {
  for (const task of tasks) {
    const { old } = task
    if (!old) continue
    const reasons = contentReasons(task)
    if (reasons.length === 0) continue
    task.reasons = [...task.reasons, ...reasons]
    if (task.how !== 'none') continue
    if (old.health !== 'unresponsive') {
      task.how = 'update'
      continue
    }
    // Nothing can be put on a machine that does not answer.
    task.how = 'recreate'
    task.cid = cids.vm(task.group.name, task.index)
    task.reasons = [...task.reasons, 'machine does not answer']
  }
}

function contentReasons(task: Task): string[] {
  const { attributes, disk, how } = task
  const old = task.old
  if (!old) return []
  const reasons: string[] = []
  const had = old.attributes
  compare(had.jobs, attributes.jobs, 'job', reasons)
  // Another stemcell means other packages throughout: saying so once is enough.
  if (!old.vm || old.vm.attributes.stemcell === stemcellName(task.group))
    compare(had.packages, attributes.packages, 'package', reasons)
  compare(had.configuration, attributes.configuration, 'configuration of', reasons, had.jobs, attributes.jobs)
  for (const job of Object.keys({ ...had.checks, ...attributes.checks }).sort()) {
    const same = canonical(had.checks?.[job] ?? []) === canonical(attributes.checks?.[job] ?? [])
    if (!same && had.jobs[job] && attributes.jobs[job]) reasons.push(`health checks of ${job} changed`)
  }
  if (disk.how === 'create') reasons.push(disk.have ? 'disk is gone' : 'disk added')
  if (disk.how === 'delete') reasons.push('disk removed')
  if (disk.how === 'resize') {
    const [before, after] = [disk.have?.attributes, task.group.disk]
    if (before?.sizeMiB !== after?.sizeMiB)
      reasons.push(`disk size changed ${before?.sizeMiB} -> ${after?.sizeMiB} MiB`)
    else reasons.push(`disk type changed ${before?.type ?? 'none'} -> ${after?.type ?? 'none'}`)
  }
  if (had.state !== attributes.state) reasons.push(`state changed ${had.state} -> ${attributes.state}`)
  if (old.health === 'failing' && how === 'none') reasons.push('processes are failing')
  return reasons
}

/** Where a job itself was added or removed, its configuration is no news. */
function compare(
  before: Record<string, string>,
  after: Record<string, string>,
  what: string,
  reasons: string[],
  jobsBefore: Record<string, string> = after,
  jobsAfter: Record<string, string> = before,
): void {
  if (before === after) return
  for (const name in after) {
    if (before[name] === after[name]) continue
    if (before[name] !== undefined) reasons.push(`${what} ${name} changed`)
    else if (jobsBefore[name] !== undefined) reasons.push(`${what} ${name} added`)
  }
  for (const name in before)
    if (after[name] === undefined && jobsAfter[name] !== undefined) reasons.push(`${what} ${name} removed`)
}
