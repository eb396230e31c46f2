import type { Reservation } from '../../../../shared/model/reservation.ts'
import type { PlanDraft } from '../../../contract/draft.ts'
import { postDeployId, vmId } from '../names.ts'
import { addressIn } from '../reservations.ts'
import type { IndexedFloorplan } from './actual.ts'
import { type AddressMoves, needsNewVm, orderAddressMoves } from './address-moves.ts'
import { cleanUp, freedBy, keptNote, strayDisks } from './cleanup.ts'
import { compilePackages } from './compiling.ts'
import { isPartial, type PlanContext } from './context.ts'
import { createDisk, takeUpDisk } from './disk-steps.ts'
import { DraftWriter } from './draft.ts'
import type { Decisions, Drawing } from './drawing.ts'
import { drawGates } from './gates.ts'
import { createVm, endOf, prepare, takeUpVm } from './instance-steps.ts'
import { rename } from './migrating.ts'
import { isOutstanding, postDeployOf, runPostDeploy } from './post-deploy.ts'
import { isPublished, publishAfter, publishBefore } from './publishing.ts'
import { type Decided, starts } from './stages.ts'
import { finalTable, unionTable } from './table.ts'
import { type Readiness, updateInstance } from './update-instance.ts'
import { inUpdateOrder, waves } from './waves.ts'

/**
 * The order of everything, as prose:
 *
 * 0. What exists and is in no record is recorded, where an instance has it or is given it. Instances that have
 *    another name are renamed.
 * 1. Packages compile. All new machines are made, hot-swap replacements too; new disks are made. Each machine
 *    that can be prepared without stopping anything is, as soon as its own packages are compiled. None of
 *    these wait for the others.
 * 2. The old and the new addresses are published together.
 * 3. Wave after wave, group by group: canaries, then, when they are healthy, the rest, at most max_in_flight at once.
 *    With one permit: stop, (for a delete-create: delete the machine, make it, prepare it,) disk, start until healthy.
 * 4. The final addresses are published; what is replaced or not wanted any more goes.
 * 5. The post-deploy scripts run, when all of that is done.
 */
export function build(context: PlanContext, decisions: Decisions): PlanDraft {
  const { wanted, actual } = context
  const { instances, obsolete, left, spares, renamings } = decisions
  const changed = changedByGroup(instances)
  const order = waves(wanted.groups, changed)
  const tasks = order.flatMap((wave) => wave.flatMap((group) => changed.get(group.name) ?? []))
  const final = finalTable(wanted.deployment, instances, left)
  const isWhole = !isPartial(context)
  const unrecorded = isWhole ? instances.filter((one) => isOrphan(one, actual)) : []
  const strays = isWhole ? strayDisks(actual, decisions) : []
  const kept = strays.filter(({ stays }) => stays).map(({ disk }) => keptNote(disk))
  const leaving = [...obsolete, ...spares, ...strays.filter(({ disk }) => !disk.kept)]
  const postDeploy = postDeployOf(instances)
  const isDue = isWhole && isOutstanding(postDeploy, actual)
  const runsScripts = isDue || (tasks.some(starts) && postDeploy.machines.length > 0)
  const changes = tasks.length + unrecorded.length + leaving.length + renamings.length
  const said = [...(isWhole ? wanted.notes : []), ...decisions.notes, ...kept]
  const publishes = isWhole || tasks.some(needsNewVm)
  const isSettled = !publishes || isPublished(actual, final)
  if (changes === 0 && isSettled && !runsScripts) return new DraftWriter(said).finish()

  const writer = new DraftWriter([...said, ...(isWhole ? wanted.versions : [])])
  for (const task of [...tasks.filter(needsNewVm), ...unrecorded]) writer.reserve(...addressesOf(task))
  const moves = orderAddressMoves(tasks, decisions, actual)
  // An instance that goes first, as its address is wanted, is in no table any more, and gets none.
  const staying = [...actual.instances.values()].filter((instance) => !moves.early.has(instance.cid ?? ''))
  const union = unionTable(wanted.deployment, final, staying)
  const voids = postDeploy.machines.length > 0 ? [postDeployId(wanted.deployment)] : []
  const site = { context, writer, table: union.digest, voids }
  const drawing: Drawing = { ...site, decisions, tasks, changed, waves: order, moves, strays }

  const renamed = rename(drawing, renamings)
  const readiness = makeReady(drawing, unrecorded)
  const fresh = tasks.filter((task) => needsNewVm(task) && (readiness.made.has(task) || task.adopted))
  const made = tasks.flatMap((task) => readiness.made.get(task) ?? [])
  const published = tasks.length === 0 || !publishes ? null : publishBefore(drawing, union, staying, { fresh, made })

  const gates = drawGates(drawing, [...renamed, ...(published === null ? [] : [published])])
  for (const task of tasks) updateInstance(drawing, task, gates.get(task)!, readiness)
  const known = published === null ? actual.table : union.digest
  const ends = tasks.map(endOf)
  const finished = publishes ? publishAfter(drawing, final, known, { instances, ends }) : ends
  cleanUp(drawing, { finished, renamed })
  if (runsScripts) runPostDeploy(drawing, postDeploy)
  return writer.finish()
}

/** Instances about which something is done, in the order of their update, by group. */
function changedByGroup(instances: readonly Decided[]): ReadonlyMap<string, readonly Decided[]> {
  const groups = [...Map.groupBy(instances, (one) => one.group.name)].flatMap(([name, all]): [string, Decided[]][] => {
    const touched = all.filter(({ how }) => how !== 'none')
    return touched.length > 0 ? [[name, inUpdateOrder(touched, all[0])]] : []
  })
  return new Map(groups)
}

/** All that is made and prepared ahead of the updates. */
function makeReady(drawing: Drawing, unrecorded: readonly Decided[]): Readiness {
  const { context, moves, writer } = drawing
  const tasks = drawing.tasks.filter(starts)
  const compiled = compilePackages(context, tasks, writer)
  const made = new Map<Decided, string>()
  const disks = new Map<Decided, string>()
  const prepared = new Map<Decided, string>()
  for (const task of unrecorded) {
    if (isOrphanVm(task, context.actual)) made.set(task, takeUpVm(drawing, task))
    const disk = takeUpDisk(drawing, task)
    if (disk !== null) disks.set(task, disk)
  }
  for (const task of tasks) {
    if (!isMadeAhead(task, moves)) continue
    made.set(task, createVm(drawing, task, { needs: freedBy(task, drawing), permit: null }))
  }
  for (const task of tasks) {
    const disk = createDisk(drawing, task)
    if (disk !== null) disks.set(task, disk)
    if (!task.adopted && needsNewVm(task) && !made.has(task)) continue
    const vm = made.get(task)
    const needs = [...(vm ? [vm] : []), ...(compiled.get(task.group.name) ?? [])]
    prepared.set(task, prepare(drawing, task, { needs, permit: null }))
  }
  return { compiled, made, disks, prepared }
}

function addressesOf({ vm, cid }: Decided): Reservation[] {
  return vm.networks.map(({ space, address }) => ({ ...addressIn(space, address), material: vmId(cid) }))
}

/** True where the machine that the instance keeps or takes up is in no record. */
function isOrphanVm(task: Decided, actual: IndexedFloorplan): boolean {
  return actual.vms.get(task.cid)?.orphan === true
}

/** The machine or the disk that a wanted instance has or is given is in no record. */
function isOrphan(task: Decided, actual: IndexedFloorplan): boolean {
  const { have, how } = task.disk
  return isOrphanVm(task, actual) || (have?.orphan === true && (how === 'none' || how === 'resize'))
}

/** New machines and replacements; not where the address is still held by an instance that is itself changed. */
function isMadeAhead(task: Decided, moves: AddressMoves): boolean {
  if (task.adopted || (task.how !== 'create' && task.how !== 'swap')) return false
  return (moves.waitsFor.get(task) ?? []).every((cid) => moves.early.has(cid))
}
