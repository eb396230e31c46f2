import type { GroupStrategy } from '../strategy.ts'
import type { Task } from './task.ts'

/**
 * Groups in the order in which they are updated (`DP/multi_instance_group_updater.rb`): a `serial: true` group is a wave of
 * its own, consecutive `serial: false` groups are one wave together. Groups without changes make no wave.
 */
export function waves(
  groups: readonly GroupStrategy[],
  changed: ReadonlyMap<string, readonly Task[]>,
): GroupStrategy[][] {
  const found: { serial: boolean; groups: GroupStrategy[] }[] = []
  for (const group of groups) {
    const top = found.at(-1)
    if (top && !group.update.serial && !top.serial) top.groups.push(group)
    else found.push({ serial: group.update.serial, groups: [group] })
  }
  return found
    .map((wave) => wave.groups.filter((group) => (changed.get(group.name)?.length ?? 0) > 0))
    .filter((wave) => wave.length > 0)
}

/** Bootstrap first, then its AZ, then the others by name; by index within (`instance_plan_sorter.rb`). */
export function inUpdateOrder(tasks: readonly Task[], bootstrap: Task | undefined): Task[] {
  const rank = (task: Task) =>
    task === bootstrap ? '0' : task.az === (bootstrap?.az ?? null) ? '1' : `2${task.az ?? ''}`
  const ranked = tasks.map((task) => ({ task, rank: rank(task) }))
  return ranked
    .sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : a.task.index - b.task.index))
    .map(({ task }) => task)
}
