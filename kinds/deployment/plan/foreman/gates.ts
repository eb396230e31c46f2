import { groupId } from '../names.ts'
import { drawCanaries } from './canaries.ts'
import type { Drawing } from './drawing.ts'
import { endOf } from './instance-steps.ts'
import type { Decided } from './stages.ts'
import type { WantedGroup } from './wanted.ts'

/** What must be done before an instance is touched, and the permit it takes then. */
export interface Gate {
  readonly needs: readonly string[]
  readonly permit: string
  readonly canary: boolean
}

/**
 * Seats and gates of all changed instances: waves one after another, canaries before the rest. `first`
 * comes before all of them.
 */
export function drawGates(drawing: Drawing, first: readonly string[]): ReadonlyMap<Decided, Gate> {
  const { waves, changed, writer } = drawing
  const gates = new Map<Decided, Gate>()
  let before = first
  for (const [number, wave] of waves.entries()) {
    for (const group of wave) {
      const { window, canaries, rest } = drawCanaries(drawing, group, before)
      for (const [at, task] of (changed.get(group.name) ?? []).entries()) {
        const lead = gates.get(drawing.moves.leaders.get(task) ?? task)
        const permit = writer.permit(lead?.permit ?? `update ${task.name}`, window)
        gates.set(task, { needs: lead?.needs ?? (at < canaries ? before : rest), permit, canary: at < canaries })
      }
    }
    if (number < waves.length - 1) before = [drawWaveEnd(drawing, wave)]
  }
  return gates
}

function drawWaveEnd({ changed, writer }: Drawing, wave: readonly WantedGroup[]): string {
  const ends = wave.flatMap((group) => (changed.get(group.name) ?? []).map(endOf))
  const names = wave.map((group) => group.name).join(', ')
  const last = wave.at(-1)?.name ?? ''
  return writer.barrier(`${names}: all are healthy`, `Updating instance ${last}`, groupId(last), ends)
}
