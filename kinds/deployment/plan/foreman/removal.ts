import type { PlanDraft } from '../../../contract/draft.ts'
import type { DeploymentReason } from '../../reasons.ts'
import { groupId, instanceId } from '../names.ts'
import { removeInstance } from './cleanup.ts'
import type { PlanContext } from './context.ts'
import { deleteDisk } from './disk-steps.ts'
import { DraftWriter } from './draft.ts'
import { deleteVm } from './instance-steps.ts'
import { refuseIgnored } from './match.ts'
import { runPostDeploy } from './post-deploy.ts'
import { forgetAddresses } from './publishing.ts'
import type { Site } from './site.ts'

const reasons: readonly DeploymentReason[] = [{ code: 'deployment-removed' }]

/**
 * Takes everything away: groups in the reverse order of the manifest, so that none loses what it leans on before it has
 * stopped itself; groups that the manifest does not know first.
 */
export function remove(context: PlanContext): PlanDraft {
  const { actual } = context
  refuseIgnored(actual.instances.values())
  const writer = new DraftWriter([])
  const site: Site = { context, writer, table: '', voids: [] }
  const removed = removeGroups(site)
  for (const { cid } of [...actual.spares.values()].flat()) {
    removed.push(deleteVm(site, { name: cid, cid }, { stage: 'Deleting unneeded vms', needs: [], reasons }))
  }
  const gone = [...removed]
  for (const disk of actual.disks.values()) {
    const { slot } = disk
    if (slot && actual.instances.has(instanceId(slot.group, slot.index))) continue
    removed.push(deleteDisk(site, disk, { needs: gone, stage: 'Deleting unneeded disks', reasons }))
  }
  if (actual.table !== null) forgetAddresses(site, removed, reasons)
  if (actual.postDeploy !== null) runPostDeploy(site, { machines: [], of: '' })
  return writer.finish()
}

/** Group after group. Returns the ids of the last remodel of each instance. */
function removeGroups(site: Site): string[] {
  const { wanted, actual } = site.context
  const listed = wanted.groups.map((group) => group.name)
  const unlisted = [...actual.byGroup.keys()].filter((name) => !listed.includes(name)).sort()
  const names = [...unlisted, ...listed.toReversed()].filter((name) => actual.byGroup.has(name))
  const removed: string[] = []
  let before: readonly string[] = []
  for (const [number, name] of names.entries()) {
    const ends = (actual.byGroup.get(name) ?? []).map((instance) => removeInstance(site, instance, before, reasons))
    removed.push(...ends)
    if (number === names.length - 1) continue
    const stage = `Deleting unneeded instances ${name}`
    before = [site.writer.barrier(`${name} is removed`, stage, groupId(name), ends)]
  }
  return removed
}
