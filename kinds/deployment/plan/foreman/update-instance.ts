import { needsNewVm } from './address-moves.ts'
import { freedBy } from './cleanup.ts'
import { settleDisk } from './disk-steps.ts'
import type { Drawing } from './drawing.ts'
import type { Gate } from './gates.ts'
import { createVm, deleteVm, prepare, record, start, stop, updating } from './instance-steps.ts'
import { type Decided, starts } from './stages.ts'
import { staying, updated } from './stopping.ts'

/** Ids of the remodels that are done ahead of the updates. */
export interface Readiness {
  /** Group -> its packages are compiled. */
  readonly compiled: ReadonlyMap<string, readonly string[]>
  /** Instance -> its machine is made, or recorded. */
  readonly made: ReadonlyMap<Decided, string>
  readonly disks: ReadonlyMap<Decided, string>
  /** Instance -> packages and jobs lie on its machine. */
  readonly prepared: ReadonlyMap<Decided, string>
}

/** One instance, with its permit; each step waits for the one before it. */
export function updateInstance(drawing: Drawing, task: Decided, gate: Gate, readiness: Readiness): void {
  const { old, name, reasons } = task
  const { permit, canary } = gate
  const prepared = readiness.prepared.get(task)
  const disk = readiness.disks.get(task)
  const ready = prepared === undefined ? (readiness.compiled.get(task.group.name) ?? []) : [prepared]
  const common = { stage: updating(task), permit, reasons }
  if (!starts(task)) {
    const stopped = task.how === 'stop' && old?.vm
    const needs = stopped
      ? [stop(drawing, old, staying(old, drawing.context.actual), { ...common, needs: gate.needs, action: 'run' })]
      : gate.needs
    record(drawing, task, { needs, permit })
    return
  }
  let needs: readonly string[] = [...gate.needs, ...(disk === undefined ? [] : [disk]), ...ready]
  if (old?.vm && old.health !== 'unresponsive')
    needs = [stop(drawing, old, updated(old, task), { ...common, needs, action: 'run' })]
  if (task.how === 'recreate' && old?.cid != null && drawing.context.actual.vms.has(old.cid))
    needs = [deleteVm(drawing, { name, cid: old.cid }, { ...common, needs })]
  if (needsNewVm(task) && prepared === undefined) {
    const free = freedBy(task, drawing).filter((id) => !needs.includes(id))
    needs = [createVm(drawing, task, { needs: [...needs, ...free], permit })]
    needs = [prepare(drawing, task, { needs, permit })]
  }
  start(drawing, task, { needs: settleDisk(drawing, task, { needs, permit }), permit, canary })
}
