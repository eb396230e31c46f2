import type { Decided } from './stages.ts'
import type { WantedGroup } from './wanted.ts'

/**
 * Groups in the order in which they are updated (BOSH's `multi_instance_group_updater.rb`): a `serial: true` group is a
 * wave of its own, consecutive `serial: false` groups are one wave together. Groups without changes make no wave.
 */
export function waves(
  groups: readonly WantedGroup[],
  changed: ReadonlyMap<string, readonly Decided[]>,
): WantedGroup[][] {
  const found: { serial: boolean; groups: WantedGroup[] }[] = []
  for (const group of groups) {
    const top = found.at(-1)
    if (top && !group.update.serial && !top.serial) top.groups.push(group)
    else found.push({ serial: group.update.serial, groups: [group] })
  }
  return found
    .map((wave) => wave.groups.filter((group) => (changed.get(group.name)?.length ?? 0) > 0))
    .filter((wave) => wave.length > 0)
}

/** Bootstrap first, then its AZ, then the others by name; by index within (BOSH's `instance_plan_sorter.rb`). */
export function inUpdateOrder(tasks: readonly Decided[], bootstrap: Decided | undefined): Decided[] {
  const rank = (task: Decided) =>
    task === bootstrap ? '0' : task.az === (bootstrap?.az ?? null) ? '1' : `2${task.az ?? ''}`
  const ranked = tasks.map((task) => ({ task, rank: rank(task) }))
  return ranked
    .sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : a.task.index - b.task.index))
    .map(({ task }) => task)
}
