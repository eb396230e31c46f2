import type { Fault } from '../../../../shared/runtime/errors.ts'
import { diskId, groupId, instanceId, instanceName, type Slot } from '../names.ts'
import type { ActualDisk, ActualInstance, IndexedFloorplan } from './actual.ts'
import { faultAt } from './fault.ts'
import type { Site } from './site.ts'
import type { Wanted, WantedGroup } from './wanted.ts'

/** Materials that get another name, of one group. */
export interface Renaming {
  readonly group: string
  /** Ids: of instances, and of their disks. */
  readonly moves: readonly { readonly from: string; readonly to: string }[]
}

export interface Migrated {
  readonly actual: IndexedFloorplan
  readonly renamings: readonly Renaming[]
  readonly faults: readonly Fault[]
}

/**
 * The floorplan, as a manifest with `migrated_from` means it: instances of a group's former names are its own, with
 * machine, disk and index, where that is free. Nothing of them changes by that but the name, so what follows is an
 * ordinary plan. The rename is one transition for a group, so a plan that is cut off anywhere leaves either the old
 * names or the new ones.
 */
export function migrate({ groups }: Wanted, actual: IndexedFloorplan): Migrated {
  if (groups.every(({ migratedFrom }) => migratedFrom.length === 0)) return { actual, renamings: [], faults: [] }
  const byGroup = new Map(actual.byGroup)
  const disks = new Map(actual.disks)
  const renamings: Renaming[] = []
  const faults: Fault[] = []
  for (const group of groups) {
    const taken = takenOver(group, { byGroup, disks })
    for (const { name } of group.migratedFrom) if (name !== group.name) byGroup.delete(name)
    for (const { from, to, disk } of taken.disks) {
      disks.delete(from)
      disks.set(to.id, { ...disk, ...to })
    }
    if (taken.instances.length > 0) byGroup.set(group.name, taken.instances)
    if (taken.moves.length > 0) renamings.push({ group: group.name, moves: taken.moves })
    faults.push(...taken.faults)
  }
  const instances = new Map([...byGroup.values()].flat().map((instance) => [instance.id, instance]))
  return { actual: { ...actual, byGroup, disks, instances }, renamings, faults }
}

interface TakenOver {
  /** All of the group from then on, by index. */
  readonly instances: readonly ActualInstance[]
  readonly disks: readonly MovedDisk[]
  readonly moves: Renaming['moves']
  readonly faults: readonly Fault[]
}

interface MovedDisk {
  readonly from: string
  readonly to: Pick<ActualDisk, 'id' | 'name' | 'slot'>
  readonly disk: ActualDisk
}

/** What a group takes over from those of its former names. */
function takenOver(group: WantedGroup, { byGroup, disks }: Pick<IndexedFloorplan, 'byGroup' | 'disks'>): TakenOver {
  const moves: { from: string; to: string }[] = []
  const faults: Fault[] = []
  const moved: MovedDisk[] = []
  const own = [...(byGroup.get(group.name) ?? [])]
  const free = freeIndexes(group.name, own, disks)
  const move = (disk: ActualDisk | undefined, index: number) => {
    if (!disk) return
    moved.push({ from: disk.id, to: diskAt({ group: group.name, index }), disk })
    if (!disk.orphan) moves.push({ from: disk.id, to: diskId(group.name, index) })
  }
  for (const { name, az } of group.migratedFrom) {
    if (name === group.name) continue
    const former = byGroup.get(name) ?? []
    for (const old of former) {
      if (az !== null && old.az !== null && old.az !== az) {
        const message = `${instanceName(name, old.index)} is in az ${old.az}, and migrated_from of ${group.name} says ${az}`
        faults.push(faultAt(group.place, message, { found: az, allowed: old.az }))
      }
      const index = free(old.index)
      const id = instanceId(group.name, index)
      own.push({ ...old, id, group: group.name, index, former: { group: name, index: old.index } })
      moves.push({ from: old.id, to: id })
      move(disks.get(diskId(name, old.index)), index)
    }
    // Disks whose instance is gone or forgotten.
    const withInstance = new Set(former.map(({ index }) => index))
    for (const disk of disks.values()) {
      if (disk.slot?.group === name && !withInstance.has(disk.slot.index)) move(disk, free(disk.slot.index))
    }
  }
  const zones = new Map(group.migratedFrom.map(({ name, az }) => [name, az]))
  const settled = own
    .sort((a, b) => a.index - b.index)
    .map((instance) => ({
      ...instance,
      az: instance.az ?? zones.get(instance.former?.group ?? instance.group) ?? null,
    }))
  return { instances: settled, disks: moved, moves, faults }
}

/**
 * Answers the index that is asked for, or the lowest one that no instance and no disk of the group has; each one once.
 */
function freeIndexes(group: string, instances: readonly Slot[], disks: IndexedFloorplan['disks']) {
  const used = new Set(instances.map(({ index }) => index))
  for (const { slot } of disks.values()) if (slot?.group === group) used.add(slot.index)
  return (wanted: number) => {
    let index = wanted
    if (used.has(index)) for (index = 0; used.has(index); ) index++
    used.add(index)
    return index
  }
}

function diskAt(slot: Slot): MovedDisk['to'] {
  return { id: diskId(slot.group, slot.index), name: instanceName(slot.group, slot.index), slot }
}

/**
 * One remodel for each group that takes something over. Returns their ids: all that touches an instance comes after.
 */
export function rename({ writer }: Site, renamings: readonly Renaming[]): string[] {
  return renamings.map(({ group, moves }) =>
    writer.step(
      'rename-instances',
      group,
      { moves: moves.map((move) => ({ ...move })) },
      {
        action: 'update',
        material: groupId(group),
        stage: 'Renaming instances',
        reasons: [{ code: 'group-renamed', group }],
        verb: 'rename',
        subject: moves.map(({ from, to }) => `${from} to ${to}`).join(', '),
      },
    ),
  )
}
