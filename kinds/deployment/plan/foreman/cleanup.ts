import type { DeploymentReason } from '../../reasons.ts'
import { diskId, instanceName } from '../names.ts'
import type { ActualDisk, ActualInstance, IndexedFloorplan } from './actual.ts'
import { deleteDisk, keepDisk } from './disk-steps.ts'
import type { Drawing, Stray } from './drawing.ts'
import { deleteVm, deleteVmOf, startOf, stop, updating } from './instance-steps.ts'
import type { Site } from './site.ts'
import type { Decided } from './stages.ts'
import { leaving } from './stopping.ts'

const atOnce = 32

/**
 * Removes what is not wanted any more, after everything else is healthy and no machine has its address in the table.
 * Only where its address is wanted does something go first. `finished`: what has to be done before; `renamed`: remodels
 * after which things have the names by which they are removed.
 */
export function cleanUp(
  drawing: Drawing,
  { finished, renamed }: { finished: readonly string[]; renamed: readonly string[] },
): void {
  const { tasks, decisions, moves, strays } = drawing
  const after = once(() => allUpdated(drawing, finished))
  for (const task of tasks) {
    if (task.how === 'swap') deleteReplaced(drawing, task, after)
    if (task.disk.how === 'delete' && task.disk.have) {
      const needs = [startOf(task)]
      deleteDisk(drawing, task.disk.have, { needs, stage: updating(task), reasons: [{ code: 'disk-unwanted' }] })
    }
  }
  for (const instance of decisions.obsolete) {
    const early = instance.cid !== null && moves.early.has(instance.cid)
    const needs = [...renamed, ...(early ? [] : after())]
    removeInstance(drawing, instance, needs, [{ code: 'instance-unwanted' }])
  }
  for (const { cid } of decisions.spares) {
    const needs = moves.early.has(cid) ? [] : after()
    deleteVm(drawing, { name: cid, cid }, { needs, stage: 'Deleting unneeded vms', reasons: [{ code: 'left-over' }] })
  }
  for (const { disk, stays } of strays) {
    if (disk.kept) continue
    if (stays) keepDisk(drawing, disk)
    else {
      const needs = [...renamed, ...after()]
      deleteDisk(drawing, disk, {
        needs,
        stage: 'Deleting unneeded disks',
        reasons: [{ code: 'disk-without-instance' }],
      })
    }
  }
}

function allUpdated({ writer, context }: Site, finished: readonly string[]): readonly string[] {
  if (finished.length < 2) return finished
  return [
    writer.barrier('all updates are done', 'Updating instances', `deployment/${context.wanted.deployment}`, finished),
  ]
}

/** The machine that a hot swap has replaced. */
function deleteReplaced(drawing: Drawing, task: Decided, after: () => readonly string[]): void {
  const cid = task.old?.cid ?? null
  if (cid === null) return
  const isWanted = [...drawing.moves.waitsFor.values()].some((cids) => cids.includes(cid))
  const { name, reasons } = task
  // The instance that waits for the address shares the permit.
  if (isWanted) deleteVm(drawing, { name, cid }, { stage: updating(task), needs: [startOf(task)], reasons })
  else deleteVm(drawing, { name, cid }, { stage: 'Deleting replaced vms', needs: after(), reasons })
}

/** Ids of the remodels that delete the machines whose addresses an instance is given. */
export function freedBy(task: Decided, { moves, context, decisions }: Drawing): string[] {
  const cids = new Set(moves.waitsFor.get(task))
  if (cids.size === 0) return []
  const names = new Map<string, string>()
  for (const { cid, group, index } of context.actual.instances.values())
    if (cid !== null) names.set(cid, instanceName(group, index))
  for (const { cid } of decisions.spares) names.set(cid, cid)
  return [...cids].map((cid) => deleteVmOf(names.get(cid) ?? cid))
}

/** Stop, machine, disk. Returns the last remodel's id. */
export function removeInstance(
  site: Site,
  instance: ActualInstance,
  needs: readonly string[],
  reasons: readonly DeploymentReason[],
): string {
  const { actual, options } = site.context
  const { group, index, vm, health } = instance
  const name = instanceName(group, index)
  const permit = site.writer.permit(`remove ${name}`, site.writer.window('remove', atOnce))
  const common = { stage: `Deleting unneeded instances ${group}`, permit, reasons }
  const stopped =
    vm && health !== 'unresponsive'
      ? [stop(site, instance, leaving(instance, actual, options), { ...common, needs, action: 'delete' })]
      : needs
  const cid = instance.cid ?? `none-of-${group}-${index}`
  const gone = deleteVm(site, { name, cid, forget: [instance.id] }, { ...common, needs: stopped })
  const disk = actual.disks.get(diskId(group, index))
  return disk ? deleteDisk(site, disk, { ...common, needs: [gone] }) : gone
}

/**
 * Disks of instances that neither stand nor are wanted. One that is recorded was left by a removal that
 * was interrupted, and goes. One that no record names may hold the only copy of what Redis has
 * forgotten: it is recorded and kept.
 */
export function strayDisks(
  { disks }: IndexedFloorplan,
  { instances, obsolete }: { instances: readonly Decided[]; obsolete: readonly ActualInstance[] },
): Stray[] {
  if (disks.size === 0) return []
  const known = new Set([
    ...instances.map((one) => one.disk.id),
    ...obsolete.map(({ group, index }) => diskId(group, index)),
  ])
  return [...disks.values()]
    .filter(({ id }) => !known.has(id))
    .map((disk) => ({ disk, stays: disk.orphan || disk.kept }))
}

export function keptNote({ cid, slot }: ActualDisk): string {
  const of = slot ? ` of ${instanceName(slot.group, slot.index)}` : ''
  return `disk ${cid}${of} was found in no record and no instance wants it: it is kept until the deployment is removed`
}

function once<Result>(make: () => Result): () => Result {
  let made: { result: Result } | null = null
  return () => {
    made ??= { result: make() }
    return made.result
  }
}
