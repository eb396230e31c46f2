import type { Json } from '../../../../shared/model/material.ts'
import type { Change, Remodel } from '../../../../shared/model/plan.ts'
import { changesBetween } from '../../../contract/diff.ts'
import type { DeploymentReason } from '../../reasons.ts'
import { instanceName, vmId } from '../names.ts'
import type { ActualInstance } from './actual.ts'
import type { Site, Turn } from './site.ts'
import { type Decided, starts } from './stages.ts'
import type { Stopping } from './stopping.ts'

const createWindow = 32

/** Why something that exists is recorded, or taken away, by a plan that did not make it. */
export const unrecorded: DeploymentReason = { code: 'unrecorded' }

/**
 * Makes the machine of an instance: with its permit of the update window for a delete-create, before
 * everything else otherwise.
 */
export function createVm(site: Site, task: Decided, { needs, permit }: Turn): string {
  return site.writer.step('create-vm', task.name, vmInput(site, task), {
    action: task.old ? 'replace' : 'create',
    material: vmId(task.cid),
    stage: permit === null ? 'Creating missing vms' : updating(task),
    needs,
    permit: permit ?? permitToCreate(site, task),
    reasons: task.reasons,
    changes: changes(task.old?.vm?.attributes, task.vm),
  })
}

/** Records a machine that exists and that no record names; one that is gone by then is made. */
export function takeUpVm(site: Site, task: Decided): string {
  return site.writer.step('create-vm', task.name, vmInput(site, task), {
    action: 'create',
    material: vmId(task.cid),
    verb: 'take up',
    subject: `machine ${task.cid} of ${task.name}`,
    stage: 'Creating missing vms',
    permit: permitToCreate(site, task),
    reasons: [unrecorded],
  })
}

function vmInput({ context }: Site, { cid, group, resources, vm }: Decided) {
  return { cid, deployment: context.wanted.deployment, stemcell: group.stemcell, resources, vm }
}

function permitToCreate({ writer }: Site, { name }: Decided): string {
  return writer.permit(`create ${name}`, writer.window('create', createWindow))
}

/** A machine to delete. */
export interface Deletion {
  /** How people name it. */
  readonly name: string
  readonly cid: string
  /** Materials that are gone with it. */
  readonly forget?: readonly string[]
}

type Why = Pick<Remodel, 'stage'> &
  Partial<Pick<Remodel, 'permit'>> & { readonly reasons: readonly DeploymentReason[] } & {
    readonly needs: readonly string[]
  }

export function deleteVm({ writer }: Site, { name, cid, forget = [] }: Deletion, why: Why): string {
  return writer.step('delete-vm', name, { cid, forget: [...forget] }, { action: 'delete', material: vmId(cid), ...why })
}

/** Id of the remodel that deletes a machine of this name. */
export const deleteVmOf = (name: string) => `delete-vm ${name}`

/** Packages and rendered jobs onto the machine; whatever runs there is not touched. */
export function prepare(site: Site, task: Decided, { needs, permit }: Turn): string {
  return site.writer.step(
    'prepare-instance',
    task.name,
    { vm: task.cid, packages: packagesOf(task), jobs: jobsOf(task), addresses: permit === null ? null : site.table },
    {
      action: 'run',
      material: task.id,
      stage: permit === null ? 'Preparing instances' : updating(task),
      needs,
      ...(permit === null ? {} : { permit }),
      reasons: task.reasons,
    },
  )
}

export function stop(
  { writer, context }: Site,
  { id, group, index, cid, attributes }: ActualInstance,
  stopping: Stopping,
  why: Why & Pick<Remodel, 'action'>,
): string {
  const instance = instanceName(group, index)
  // Whatever comes next records what a person wants of it.
  const { intents: _, ...had } = attributes
  return writer.step(
    'stop-instance',
    instance,
    {
      instance,
      vm: cid ?? '',
      jobs: Object.keys(attributes.jobs).sort(),
      ...stopping,
      skipDrain: context.options.skipDrain,
      attributes: { ...had, state: 'stopped' },
    },
    { material: id, ...why },
  )
}

export function start(
  site: Site,
  task: Decided,
  { needs, permit, canary }: { needs: readonly string[]; permit: string; canary: boolean },
): string {
  const { update } = task.group
  const watch = canary ? update.canaryWatch : update.updateWatch
  return site.writer.step(
    'start-instance',
    task.name,
    {
      instance: task.name,
      index: task.index,
      deployment: site.context.wanted.deployment,
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
      permit,
      reasons: task.reasons,
      changes: changes(task.old?.attributes, task.attributes),
      deadlineSeconds: 3600 + Math.ceil(watch.maxMs / 1000),
    },
  )
}

/** What a person wants of an instance from now on. */
export function record({ writer }: Site, task: Decided, { needs, permit }: Turn): string {
  const { intents, name, old, attributes, reasons } = task
  const said = intents.length === 0 ? 'no longer ignored' : intents.join(' and ')
  return writer.step(
    'record-instance',
    name,
    { vm: old?.cid ?? null, attributes },
    {
      action: 'update',
      material: task.id,
      verb: 'record',
      subject: `${name} as ${said}`,
      stage: updating(task),
      needs,
      ...(permit === null ? {} : { permit }),
      reasons,
      changes: changes(old?.attributes, attributes),
    },
  )
}

/** Id of the remodel that starts an instance. */
export const startOf = ({ name }: Pick<Decided, 'name'>) => `start-instance ${name}`

/** Id of the remodel that ends what is done about an instance. */
export const endOf = (task: Decided) => (starts(task) ? startOf(task) : `record-instance ${task.name}`)

export function updating(task: Decided): string {
  return `Updating instance ${task.group.name}`
}

export function changes(before: Record<string, Json> | undefined, after: Record<string, Json>): Change[] {
  return changesBetween(before ?? {}, after)
}

const packagesOf = (task: Decided) => Object.entries(task.attributes.packages).map(([name, key]) => ({ name, key }))

const jobsOf = (task: Decided) =>
  task.group.jobs.map((job) => ({ name: job.name, rendered: task.attributes.configuration[job.name] ?? '' }))
