import { diskId, instanceName, parseSlot } from '../names.ts'
import type { Claims } from './claims.ts'
import { deleteVm, keepDisk, type Site, stop, updating } from './instance-steps.ts'
import type { StandingDisk, StandingInstance, StandingPlace } from './standing.ts'
import { leaving } from './stopping.ts'
import type { Survey } from './survey.ts'
import type { Task } from './task.ts'

const atOnce = 32

/** What there is to clear up, and what has to be known for it. */
interface Leavings {
  standing: StandingPlace
  found: Survey
  tasks: readonly Task[]
  claims: Claims
  strays: readonly Stray[]
  /** Remodels after which things have the names by which they are removed. */
  renamed: readonly string[]
}

/**
 * Removes what is not wanted any more, after everything else is healthy and nobody is told its address. Only where its
 * address is wanted does something go first.
 */
export function tidyUp(
  site: Site,
  { standing, found, tasks, claims, strays, renamed }: Leavings,
  finished: string[],
): void {
  const { writer } = site
  const after = once(() =>
    finished.length > 1
      ? [writer.barrier('all updates are done', 'Updating instances', `deployment/${site.deployment}`, finished)]
      : finished,
  )
  for (const task of tasks) {
    const { old } = task
    if (task.how === 'swap' && old?.cid != null) {
      const wanted = [...claims.waitsFor.values()].some((cids) => cids.includes(old.cid ?? ''))
      const common = { stage: 'Deleting replaced vms', reasons: task.reasons }
      // Whoever waits for the address sits in the same place.
      if (wanted)
        deleteVm(site, task.name, old.cid, { ...common, stage: updating(task), needs: [`start-instance ${task.name}`] })
      else deleteVm(site, task.name, old.cid, { ...common, needs: after() })
    }
    if (task.disk.how === 'delete' && task.disk.have) {
      deleteDisk(site, task.name, task.disk.id, task.disk.have, [`start-instance ${task.name}`], updating(task), [
        'disk removed from manifest',
      ])
    }
  }
  for (const instance of found.obsolete) {
    const early = instance.cid !== null && claims.early.has(instance.cid)
    const needs = [...renamed, ...(early ? [] : after())]
    removeInstance(site, standing, instance, needs, ['instance removed from manifest'])
  }
  for (const spare of found.spares) {
    const common = { stage: 'Deleting unneeded vms', reasons: ['left over by an interrupted plan'] }
    deleteVm(site, spare.cid, spare.cid, { ...common, needs: claims.early.has(spare.cid) ? [] : after() })
  }
  for (const { id, disk, stays } of strays) {
    if (disk.kept) continue
    if (stays) keepDisk(site, id, disk)
    else {
      const needs = [...renamed, ...after()]
      deleteDisk(site, id.slice('disk/'.length), id, disk, needs, 'Deleting unneeded disks', ['its instance is gone'])
    }
  }
}

/** Stop, machine, disk. Returns the last remodel's id. */
export function removeInstance(
  site: Site,
  standing: StandingPlace,
  instance: StandingInstance,
  needs: string[],
  reasons: string[],
): string {
  const name = `${instance.group}/${instance.index}`
  const place = site.writer.place(`remove ${name}`, site.writer.window('remove', atOnce))
  const common = { stage: `Deleting unneeded instances ${instance.group}`, place, reasons }
  let after = needs
  if (instance.vm && instance.health !== 'unresponsive')
    after = [
      stop(site, instance, leaving(instance, standing, site.options), { ...common, needs: after, action: 'delete' }),
    ]
  const gone = deleteVm(
    site,
    name,
    instance.cid ?? `none-of-${instance.group}-${instance.index}`,
    { ...common, needs: after },
    [instance.id],
  )
  const id = diskId(instance.group, instance.index)
  const disk = standing.disks.get(id)
  return disk ? deleteDisk(site, name, id, disk, [gone], common.stage, reasons, place) : gone
}

/** A disk of no instance, wanted or standing. */
interface Stray {
  id: string
  disk: StandingDisk
  stays: boolean
}

/**
 * Disks of instances that neither stand nor are wanted. One that is recorded was left by a removal that was interrupted, and
 * goes. One that no record names may hold the only copy of what Redis has forgotten: it is recorded and kept.
 */
export function strayDisks(standing: StandingPlace, found: Survey): Stray[] {
  if (standing.disks.size === 0) return []
  const known = new Set(found.tasks.map((task) => task.disk.id))
  for (const instance of found.obsolete) known.add(diskId(instance.group, instance.index))
  return [...standing.disks]
    .filter(([id]) => !known.has(id))
    .map(([id, disk]) => ({ id, disk, stays: disk.orphan || disk.kept }))
}

export function keptNote(id: string, { cid }: StandingDisk): string {
  const slot = parseSlot(id)
  const of = slot ? ` of ${instanceName(slot.group, slot.index)}` : ''
  return `disk ${cid}${of} was found in no record and no instance wants it: it is kept until the deployment is removed`
}

export function deleteDisk(
  site: Site,
  subject: string,
  id: string,
  disk: StandingDisk,
  needs: string[],
  stage: string,
  reasons: string[],
  place?: string,
): string {
  const common = {
    action: 'delete' as const,
    material: id,
    stage,
    needs,
    reasons,
    destructive: true,
    ...(place ? { place } : {}),
  }
  return site.writer.step('delete-disk', subject, { cid: disk.cid }, common)
}

function once<Result>(make: () => Result): () => Result {
  let made: { result: Result } | null = null
  return () => {
    made ??= { result: make() }
    return made.result
  }
}
