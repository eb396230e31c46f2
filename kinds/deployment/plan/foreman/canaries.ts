import { shareOf } from '../architect/update.ts'
import { groupId } from '../names.ts'
import type { Drawing } from './drawing.ts'
import { endOf } from './instance-steps.ts'
import { starts } from './stages.ts'
import type { WantedGroup } from './wanted.ts'

/**
 * The window of a group, how many of its instances are canaries, and what the others wait for: a barrier that is done
 * when all canaries are healthy. Without canaries, or where all changed instances are canaries, there is none. What was
 * healthy before needs none, unless they are asked for.
 */
export function drawCanaries({ context, changed, writer }: Drawing, group: WantedGroup, before: readonly string[]) {
  const { own, proven = false } = context.options
  const { name, update, count } = group
  const tasks = changed.get(name) ?? []
  const window = writer.window(`update ${name}`, shareOf(own?.maxInFlight ?? update.maxInFlight, count, 1))
  const isProven = proven || !tasks.some(starts)
  const canaries = Math.min(tasks.length, shareOf(String(own?.canaries ?? (isProven ? 0 : update.canaries)), count, 0))
  if (canaries === 0 || canaries === tasks.length) return { window, canaries, rest: before }
  const healthy = tasks.slice(0, canaries).map(endOf)
  const stage = `Updating instance ${name}`
  return { window, canaries, rest: [writer.barrier(`canaries of ${name} are healthy`, stage, groupId(name), healthy)] }
}
