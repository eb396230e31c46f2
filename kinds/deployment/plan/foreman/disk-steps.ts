import type { Remodel } from '../../../../shared/model/plan.ts'
import type { StepInput } from '../../inputs.ts'
import type { DeploymentReason } from '../../reasons.ts'
import type { ActualDisk } from './actual.ts'
import { needsNewVm } from './address-moves.ts'
import { changes, unrecorded, updating } from './instance-steps.ts'
import type { Site } from './site.ts'
import type { Decided } from './stages.ts'

/** Made before everything else; attached when its instance is stopped. */
export function createDisk({ writer, context }: Site, { disk, group, name, old }: Decided): string | null {
  if (disk.how !== 'create' || disk.cid === null || !group.disk) return null
  return writer.step(
    'create-disk',
    name,
    { cid: disk.cid, deployment: context.wanted.deployment, disk: group.disk },
    {
      action: 'create',
      material: disk.id,
      stage: 'Creating missing disks',
      reasons: [{ code: disk.have ? 'disk-gone' : old ? 'disk-added' : 'instance-new' }],
      changes: changes(undefined, group.disk),
    },
  )
}

/** Records a disk that exists and that no record names, for the instance that wants it. */
export function takeUpDisk(site: Site, { disk: { have, how, id }, group, name }: Decided): string | null {
  if (!have?.orphan || !group.disk || (how !== 'none' && how !== 'resize')) return null
  const disk = { sizeMiB: have.attributes.sizeMiB, type: group.disk.type }
  const input = { cid: have.cid, deployment: site.context.wanted.deployment, disk }
  return recordDisk(site, { id, name, verb: 'take up' }, input)
}

/** Records a disk that exists, that no record names and that no instance wants. */
export function keepDisk(site: Site, { id, name, cid, attributes }: ActualDisk): string {
  const input = { cid, deployment: site.context.wanted.deployment, disk: attributes, kept: true } as const
  return recordDisk(site, { id, name, verb: 'keep' }, input)
}

function recordDisk(
  { writer }: Site,
  { id, name, verb }: { id: string; name: string; verb: string },
  input: StepInput<'create-disk'>,
): string {
  return writer.step('create-disk', name, input, {
    action: 'create',
    material: id,
    verb,
    subject: `disk ${input.cid}${name === input.cid ? '' : ` of ${name}`}`,
    stage: 'Creating missing disks',
    reasons: [unrecorded],
  })
}

/**
 * Between stop and start: a larger disk, and the disk onto the machine where it does not hang there yet. Returns
 * what comes next needs.
 */
export function settleDisk(
  { writer }: Site,
  task: Decided,
  { needs, permit }: { needs: readonly string[]; permit: string },
): readonly string[] {
  const { disk, group, name } = task
  const { cid } = disk
  if (cid === null || !group.disk) return needs
  const common = { material: disk.id, stage: updating(task), permit, reasons: task.reasons }
  const resized =
    disk.how !== 'resize'
      ? needs
      : [
          writer.step(
            'resize-disk',
            name,
            { cid, disk: group.disk },
            { ...common, action: 'update', needs, changes: changes(disk.have?.attributes, group.disk) },
          ),
        ]
  if (disk.how !== 'create' && !needsNewVm(task)) return resized
  return [writer.step('attach-disk', name, { vm: task.cid, disk: cid }, { ...common, action: 'run', needs: resized })]
}

/** How a disk is deleted, and why. */
type Why = Pick<Remodel, 'stage'> &
  Partial<Pick<Remodel, 'permit'>> & {
    readonly needs: readonly string[]
    readonly reasons: readonly DeploymentReason[]
  }

export function deleteDisk({ writer }: Site, { id, name, cid }: ActualDisk, why: Why): string {
  return writer.step('delete-disk', name, { cid }, { action: 'delete', material: id, destructive: true, ...why })
}
