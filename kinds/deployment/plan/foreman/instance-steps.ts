import type { Remodel } from '../../../../shared/model/plan.ts'
import { changesBetween } from '../../../contract/diff.ts'
import type { PlanOptions } from '../../../contract/kind.ts'
import type { StepInput } from '../../inputs.ts'
import { vmId } from '../names.ts'
import { needsNewVm } from './claims.ts'
import type { DraftWriter } from './draft.ts'
import type { StandingDisk, StandingInstance } from './standing.ts'
import type { Stopping } from './stopping.ts'
import type { Task } from './task.ts'

/** What all steps of one plan share. */
export interface Site {
  writer: DraftWriter
  deployment: string
  options: PlanOptions
  /** Blob of the table that a machine made in the middle of the plan is given. */
  table: string
  /** What stands no more once an instance was started: the record that post-deploy scripts have run. */
  voids: readonly string[]
}

const createWindow = 32

/** Why something that stands is recorded, or taken away, by a plan that did not make it. */
const unrecorded = 'stands and is not recorded'

/** Makes the machine of a task. In its place in the update window for a delete-create, before everything else otherwise. */
export function createVm(site: Site, task: Task, needs: string[], place: string | null): string {
  const { writer } = site
  return writer.step(
    'create-vm',
    task.name,
    {
      cid: task.cid,
      deployment: site.deployment,
      stemcell: task.group.stemcell,
      resources: task.resources,
      vm: task.vm,
    },
    {
      action: task.old ? 'replace' : 'create',
      material: vmId(task.cid),
      stage: place === null ? 'Creating missing vms' : updating(task),
      needs,
      place: place ?? writer.place(`create ${task.name}`, writer.window('create', createWindow)),
      reasons: task.reasons,
      changes: changesBetween(task.old?.vm ? { ...task.old.vm.attributes } : {}, { ...task.vm }),
    },
  )
}

/** Records a machine that stands and that no record names; one that is gone by then is made. */
export function takeUpVm(site: Site, task: Task): string {
  return site.writer.step(
    'create-vm',
    task.name,
    {
      cid: task.cid,
      deployment: site.deployment,
      stemcell: task.group.stemcell,
      resources: task.resources,
      vm: task.vm,
    },
    {
      action: 'create',
      material: vmId(task.cid),
      title: `take up machine ${task.cid} of ${task.name}`,
      stage: 'Creating missing vms',
      place: site.writer.place(`create ${task.name}`, site.writer.window('create', createWindow)),
      reasons: [unrecorded],
    },
  )
}

export function deleteVm(
  site: Site,
  subject: string,
  cid: string,
  common: { needs: string[]; stage: string; place?: string; reasons: string[] },
  forget: string[] = [],
): string {
  return site.writer.step('delete-vm', subject, { cid, forget }, { action: 'delete', material: vmId(cid), ...common })
}

/** Packages and rendered jobs onto the machine; whatever runs there is not touched. */
export function prepare(site: Site, task: Task, needs: string[], place: string | null): string {
  return site.writer.step(
    'prepare-instance',
    task.name,
    { vm: task.cid, packages: packagesOf(task), jobs: jobsOf(task), addresses: place === null ? null : site.table },
    {
      action: 'run',
      material: task.id,
      stage: place === null ? 'Preparing instances' : updating(task),
      needs,
      ...(place === null ? {} : { place }),
      reasons: task.reasons,
    },
  )
}

export function stop(
  site: Site,
  instance: StandingInstance,
  stopping: Stopping,
  common: { needs: string[]; stage: string; place?: string; reasons: string[]; action: Remodel['action'] },
): string {
  return site.writer.step(
    'stop-instance',
    `${instance.group}/${instance.index}`,
    {
      instance: `${instance.group}/${instance.index}`,
      vm: instance.cid ?? '',
      jobs: Object.keys(instance.attributes.jobs).sort(),
      ...stopping,
      skipDrain: site.options.skipDrain,
      attributes: { ...instance.attributes, state: 'stopped' },
    },
    { material: instance.id, ...common },
  )
}

export function start(site: Site, task: Task, needs: string[], place: string, canary: boolean): string {
  const { update } = task.group
  const watch = canary ? update.canaryWatch : update.updateWatch
  return site.writer.step(
    'start-instance',
    task.name,
    {
      instance: task.name,
      index: task.index,
      deployment: site.deployment,
      vm: task.cid,
      attributes: task.attributes,
      jobs: jobsOf(task),
      packages: packagesOf(task),
      watch,
      ...(site.voids.length > 0 ? { voids: [...site.voids] } : {}),
    },
    {
      action: task.how === 'create' ? 'create' : task.how === 'update' ? 'update' : 'replace',
      material: task.id,
      stage: updating(task),
      needs,
      place,
      reasons: task.reasons,
      changes: changesBetween(task.old ? { ...task.old.attributes } : {}, { ...task.attributes }),
      deadlineSeconds: 3600 + Math.ceil(watch.maxMs / 1000),
    },
  )
}

/** Made before everything else; attached when its instance is stopped. */
export function createDisk(site: Site, task: Task): string | null {
  const { disk, group } = task
  if (disk.how !== 'create' || disk.cid === null || !group.disk) return null
  return site.writer.step(
    'create-disk',
    task.name,
    { cid: disk.cid, deployment: site.deployment, disk: group.disk },
    {
      action: 'create',
      material: disk.id,
      stage: 'Creating missing disks',
      reasons: [disk.have ? 'disk is gone' : task.old ? 'disk added' : 'instance is new'],
      changes: changesBetween({}, { ...group.disk }),
    },
  )
}

/** Records a disk that exists and that no record names, for the instance that wants it. */
export function takeUpDisk(site: Site, task: Task): string | null {
  const { have, how, id } = task.disk
  const wanted = task.group.disk
  if (!have?.orphan || !wanted || (how !== 'none' && how !== 'resize')) return null
  const disk = { sizeMiB: have.attributes.sizeMiB, type: wanted.type }
  return recordDisk(site, task.name, id, { cid: have.cid, deployment: site.deployment, disk }, 'take up')
}

/** Records a disk that exists, that no record names and that no instance wants. */
export function keepDisk(site: Site, id: string, { cid, attributes }: StandingDisk): string {
  const input = { cid, deployment: site.deployment, disk: attributes, kept: true } as const
  return recordDisk(site, id.slice('disk/'.length), id, input, 'keep')
}

function recordDisk(site: Site, name: string, id: string, input: StepInput<'create-disk'>, verb: string): string {
  return site.writer.step('create-disk', name, input, {
    action: 'create',
    material: id,
    title: `${verb} disk ${input.cid}${name === input.cid ? '' : ` of ${name}`}`,
    stage: 'Creating missing disks',
    reasons: [unrecorded],
  })
}

/** Between stop and start: a larger disk, and the disk onto the machine where it does not hang there yet. */
export function settleDisk(site: Site, task: Task, needs: string[], place: string): string[] {
  const { disk, group } = task
  if (disk.cid === null || !group.disk) return needs
  let after = needs
  const common = { material: disk.id, stage: updating(task), place, reasons: task.reasons }
  if (disk.how === 'resize') {
    const changes = changesBetween(disk.have ? { ...disk.have.attributes } : {}, { ...group.disk })
    after = [
      site.writer.step(
        'resize-disk',
        task.name,
        { cid: disk.cid, disk: group.disk },
        { ...common, action: 'update', needs: after, changes },
      ),
    ]
  }
  if (disk.how === 'create' || needsNewVm(task)) {
    after = [
      site.writer.step(
        'attach-disk',
        task.name,
        { vm: task.cid, disk: disk.cid },
        { ...common, action: 'run', needs: after },
      ),
    ]
  }
  return after
}

export function updating(task: Task): string {
  return `Updating instance ${task.group.name}`
}

const packagesOf = (task: Task) => Object.entries(task.attributes.packages).map(([name, key]) => ({ name, key }))

const jobsOf = (task: Task) =>
  task.group.jobs.map((job) => ({ name: job.name, rendered: task.attributes.configuration[job.name] ?? '' }))
