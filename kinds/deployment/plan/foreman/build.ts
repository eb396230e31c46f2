import type { Reservation } from '../../../../shared/model/reservation.ts'
import type { PlanDraft } from '../../../contract/draft.ts'
import type { PlanOptions } from '../../../contract/kind.ts'
import { shareOf } from '../architect/update.ts'
import { postDeployId, vmId } from '../names.ts'
import { addressIn } from '../reservations.ts'
import type { GroupStrategy, Strategy } from '../strategy.ts'
import { type Claims, claimAddresses, leaderOf, needsNewVm } from './claims.ts'
import { compilePackages } from './compiling.ts'
import { DraftWriter } from './draft.ts'
import {
  createDisk,
  createVm,
  deleteVm,
  prepare,
  type Site,
  settleDisk,
  start,
  stop,
  takeUpDisk,
  takeUpVm,
  updating,
} from './instance-steps.ts'
import { type Renaming, rename } from './migrating.ts'
import { isOutstanding, postDeployOf, runPostDeploy } from './post-deploy.ts'
import { isPublished, publishAfter, publishBefore } from './publishing.ts'
import type { StandingPlace } from './standing.ts'
import { updated } from './stopping.ts'
import type { Survey } from './survey.ts'
import { finalTable, unionTable } from './table.ts'
import type { Task } from './task.ts'
import { keptNote, strayDisks, tidyUp } from './tidying.ts'
import { inUpdateOrder, waves } from './waves.ts'

/** What must be done before a task's machine is touched, and the seat it takes then. */
interface Gate {
  needs: string[]
  place: string
  canary: boolean
}

/**
 * The order of everything, as prose:
 *
 * 0. What stands and is in no record is recorded, where an instance has it or is given it. What has another name is renamed.
 * 1. Packages compile. All new machines are made, hot-swap replacements too; new disks are made. Each machine that can be
 *    prepared without stopping anything is, as soon as its own packages are compiled. None of these wait for the others.
 * 2. The old and the new addresses are published together.
 * 3. Wave after wave, group by group: canaries, then, when they are healthy, the rest, at most max_in_flight at once. In one
 *    place: stop, (for a delete-create: delete the machine, make it, prepare it,) disk, start until healthy.
 * 4. The final addresses are published; what is replaced or not wanted any more goes.
 * 5. The post-deploy scripts run, when all of that is done.
 */
export function build(
  strategy: Strategy,
  standing: StandingPlace,
  found: Survey & { renamings: readonly Renaming[] },
  options: PlanOptions,
  durations: ReadonlyMap<string, number>,
): PlanDraft {
  const writer = new DraftWriter([...strategy.notes, ...found.notes])
  const byGroup = Map.groupBy(found.tasks, (task) => task.group.name)
  const changed = new Map<string, Task[]>()
  for (const [name, tasks] of byGroup) {
    const touched = tasks.filter((task) => task.how !== 'none')
    if (touched.length > 0) changed.set(name, inUpdateOrder(touched, tasks[0]))
  }
  const order = waves(strategy.groups, changed)
  const tasks = order.flatMap((wave) => wave.flatMap((group) => changed.get(group.name) ?? []))
  const final = finalTable(strategy.deployment, found.tasks)
  const unrecorded = found.tasks.filter((task) => isOrphan(task, standing))
  const strays = strayDisks(standing, found)
  for (const { id, disk } of strays.filter((stray) => stray.stays)) writer.notes.push(keptNote(id, disk))
  const leaving = [...found.obsolete, ...found.spares, ...strays.filter(({ disk }) => !disk.kept)]
  const postDeploy = postDeployOf(found.tasks)
  const runsScripts = isOutstanding(postDeploy, standing) || (tasks.length > 0 && postDeploy.machines.length > 0)
  const changes = tasks.length + unrecorded.length + leaving.length + found.renamings.length
  if (changes === 0 && isPublished(standing, final) && !runsScripts) return writer.finish()
  writer.notes.push(...strategy.versions)
  for (const task of [...tasks.filter(needsNewVm), ...unrecorded]) writer.reserve(...addressesOf(task))
  const claims = claimAddresses(tasks, found.obsolete, found.spares, standing)
  // Whoever goes first, as its address is wanted, is not told and not told of.
  const staying = [...standing.instances.values()].filter((instance) => !claims.early.has(instance.cid ?? ''))
  const union = unionTable(strategy.deployment, final, staying)
  const voids = postDeploy.machines.length > 0 ? [postDeployId(strategy.deployment)] : []
  const site: Site = { writer, deployment: strategy.deployment, options, table: union.digest, voids }

  const renamed = rename(site, found.renamings)
  const compiled = compilePackages(strategy, standing, tasks, writer, durations)
  const made = new Map<Task, string>()
  const disks = new Map<Task, string>()
  const prepared = new Map<Task, string>()
  for (const task of unrecorded) {
    if (isOrphanVm(task, standing)) made.set(task, takeUpVm(site, task))
    const disk = takeUpDisk(site, task)
    if (disk !== null) disks.set(task, disk)
  }
  for (const task of tasks) {
    if (madeUpFront(task, claims)) made.set(task, createVm(site, task, waitsFor(task, claims, standing, found), null))
  }
  for (const task of tasks) {
    const disk = createDisk(site, task)
    if (disk !== null) disks.set(task, disk)
    if (!task.adopted && needsNewVm(task) && !made.has(task)) continue
    const vm = made.get(task)
    prepared.set(task, prepare(site, task, [...(vm ? [vm] : []), ...(compiled.get(task.group.name) ?? [])], null))
  }
  const fresh = tasks.filter((task) => needsNewVm(task) && (made.has(task) || task.adopted))
  const before = tasks.flatMap((task) => made.get(task) ?? [])
  const published = publishBefore(site, standing, staying, union, fresh, before, tasks.length > 0)

  const first = [...renamed, ...(published === null ? [] : [published])]
  const gates = drawGates(order, changed, byGroup, claims, options, writer, first)
  for (const task of tasks) {
    const gate = gates.get(task)!
    const needs = [...gate.needs, ...(disks.has(task) ? [disks.get(task)!] : [])]
    updateInstance(
      site,
      task,
      gate,
      needs,
      prepared.get(task),
      compiled.get(task.group.name) ?? [],
      claims,
      standing,
      found,
    )
  }
  const starts = tasks.map(startOf)
  const finished = publishAfter(site, standing, final, published ? union.digest : standing.table, found.tasks, starts)
  tidyUp(site, { standing, found, tasks, claims, strays, renamed }, finished)
  if (runsScripts) runPostDeploy(site, postDeploy)
  return writer.finish()
}

function addressesOf({ vm, cid }: Task): Reservation[] {
  return vm.networks.map(({ space, address }) => ({ ...addressIn(space, address), material: vmId(cid) }))
}

/** True where the machine that the task keeps or takes up is in no record. */
function isOrphanVm(task: Task, standing: StandingPlace): boolean {
  return standing.vms.get(task.cid)?.orphan === true
}

/** The machine or the disk that a wanted instance has or is given is in no record. */
function isOrphan(task: Task, standing: StandingPlace): boolean {
  const { have, how } = task.disk
  return isOrphanVm(task, standing) || (have?.orphan === true && (how === 'none' || how === 'resize'))
}

const startOf = (task: Task) => `start-instance ${task.name}`

/** New machines and replacements; not where the address is still held by an instance that is itself changed. */
function madeUpFront(task: Task, claims: Claims): boolean {
  if (task.adopted || (task.how !== 'create' && task.how !== 'swap')) return false
  return (claims.waitsFor.get(task) ?? []).every((cid) => claims.early.has(cid))
}

/** Ids of the remodels that delete the machines whose addresses a task is given. */
function waitsFor(task: Task, claims: Claims, standing: StandingPlace, found: Survey): string[] {
  const cids = new Set(claims.waitsFor.get(task))
  if (cids.size === 0) return []
  const names = new Map<string, string>()
  for (const instance of standing.instances.values())
    if (instance.cid !== null) names.set(instance.cid, `${instance.group}/${instance.index}`)
  for (const spare of found.spares) names.set(spare.cid, spare.cid)
  return [...cids].map((cid) => `delete-vm ${names.get(cid) ?? cid}`)
}

/** Seats and gates of all changed instances: waves one after another, canaries before the rest. */
function drawGates(
  order: readonly GroupStrategy[][],
  changed: ReadonlyMap<string, Task[]>,
  byGroup: ReadonlyMap<string, readonly Task[]>,
  claims: Claims,
  options: PlanOptions,
  writer: DraftWriter,
  first: readonly string[],
): Map<Task, Gate> {
  const gates = new Map<Task, Gate>()
  let before: string[] = [...first]
  for (const [number, wave] of order.entries()) {
    for (const group of wave) {
      const tasks = changed.get(group.name) ?? []
      const size = byGroup.get(group.name)?.length ?? 0
      const window = `update ${group.name}`
      writer.window(window, shareOf(options.maxInFlight ?? group.update.maxInFlight, size, 1))
      const canaries = Math.min(tasks.length, shareOf(String(options.canaries ?? group.update.canaries), size, 0))
      const rest =
        canaries > 0 && canaries < tasks.length
          ? [
              writer.barrier(
                `canaries of ${group.name} are healthy`,
                `Updating instance ${group.name}`,
                `group/${group.name}`,
                tasks.slice(0, canaries).map(startOf),
              ),
            ]
          : before
      for (const [index, task] of tasks.entries()) {
        const lead = gates.get(leaderOf(claims.leader, task))
        const name = lead?.place ?? `update ${task.name}`
        const place = writer.place(name, window)
        gates.set(task, { needs: lead?.needs ?? (index < canaries ? before : rest), place, canary: index < canaries })
      }
    }
    if (number === order.length - 1) continue
    const starts = wave.flatMap((group) => (changed.get(group.name) ?? []).map(startOf))
    const names = wave.map((group) => group.name).join(', ')
    before = [
      writer.barrier(
        `${names}: all are healthy`,
        `Updating instance ${wave.at(-1)?.name}`,
        `group/${wave.at(-1)?.name}`,
        starts,
      ),
    ]
  }
  return gates
}

/** One instance, in its seat; each step waits for the one before it. */
function updateInstance(
  site: Site,
  task: Task,
  gate: Gate,
  needs: string[],
  prepared: string | undefined,
  compiled: readonly string[],
  claims: Claims,
  standing: StandingPlace,
  found: Survey,
): void {
  const { old } = task
  const { place } = gate
  const common = { stage: updating(task), place, reasons: task.reasons }
  let after = [...needs, ...(prepared ? [prepared] : compiled)]
  if (old?.vm && old.health !== 'unresponsive') {
    after = [stop(site, old, updated(old, task), { ...common, needs: after, action: 'run' })]
  }
  if (task.how === 'recreate' && old?.cid != null && standing.vms.has(old.cid)) {
    after = [deleteVm(site, task.name, old.cid, { ...common, needs: after })]
  }
  if (needsNewVm(task) && prepared === undefined) {
    const free = waitsFor(task, claims, standing, found).filter((id) => !after.includes(id))
    after = [createVm(site, task, [...after, ...free], place)]
    after = [prepare(site, task, after, place)]
  }
  after = settleDisk(site, task, after, place)
  start(site, task, after, place, gate.canary)
}
