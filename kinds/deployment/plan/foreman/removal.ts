import { digestOf } from '../../../../shared/model/canonical.ts'
import type { PlanDraft } from '../../../contract/draft.ts'
import type { PlanOptions } from '../../../contract/kind.ts'
import { tableId } from '../names.ts'
import type { Strategy } from '../strategy.ts'
import { DraftWriter } from './draft.ts'
import { deleteVm, type Site } from './instance-steps.ts'
import { runPostDeploy } from './post-deploy.ts'
import type { StandingPlace } from './standing.ts'
import { deleteDisk, removeInstance } from './tidying.ts'

const reasons = ['deployment is removed']

/**
 * Takes everything away: groups in the reverse order of the manifest, so that nobody loses what it leans on before it has
 * stopped itself; groups that the manifest does not know first.
 */
export function remove(strategy: Strategy, standing: StandingPlace, options: PlanOptions): PlanDraft {
  const writer = new DraftWriter([])
  const site: Site = { writer, deployment: strategy.deployment, options, table: '', voids: [] }
  const listed = strategy.groups.map((group) => group.name)
  const unlisted = [...standing.byGroup.keys()].filter((name) => !listed.includes(name)).sort()
  const removed: string[] = []
  let before: string[] = []
  const names = [...unlisted, ...listed.toReversed()].filter((name) => standing.byGroup.has(name))
  for (const [number, name] of names.entries()) {
    const ends = (standing.byGroup.get(name) ?? []).map((instance) =>
      removeInstance(site, standing, instance, before, reasons),
    )
    removed.push(...ends)
    if (number < names.length - 1)
      before = [writer.barrier(`${name} is removed`, `Deleting unneeded instances ${name}`, `group/${name}`, ends)]
  }
  for (const spare of [...standing.spares.values()].flat()) {
    removed.push(deleteVm(site, spare.cid, spare.cid, { stage: 'Deleting unneeded vms', needs: [], reasons }))
  }
  const gone = [...removed]
  for (const [id, disk] of standing.disks) {
    const slot = id.slice('disk/'.length)
    if (!standing.instances.has(`instance/${slot}`)) {
      removed.push(deleteDisk(site, slot, id, disk, gone, 'Deleting unneeded disks', reasons))
    }
  }
  if (standing.table !== null) {
    writer.step(
      'publish-addresses',
      'of nobody',
      { deployment: strategy.deployment, records: [], table: digestOf([]), vms: [] },
      {
        action: 'delete',
        material: tableId(strategy.deployment),
        stage: 'Publishing addresses',
        needs: removed,
        reasons,
        title: 'forget all addresses',
      },
    )
  }
  if (standing.postDeploy !== null) runPostDeploy(site, { machines: [], of: '' })
  return writer.finish()
}
