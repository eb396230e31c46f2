import type { Fault } from '../../../../shared/runtime/errors.ts'
import { diskId, instanceId, instanceName, parseSlot } from '../names.ts'
import type { GroupStrategy, Strategy } from '../strategy.ts'
import { faultAt } from './fault.ts'
import type { Site } from './instance-steps.ts'
import type { StandingInstance, StandingPlace } from './standing.ts'

/** Materials that get another name, of one group. */
export interface Renaming {
  group: string
  /** Ids: of instances, and of their disks. */
  moves: { from: string; to: string }[]
}

export interface Migrated {
  standing: StandingPlace
  renamings: Renaming[]
}

/**
 * What stands, as a manifest with `migrated_from` means it: instances of a group's former names are its own, with machine, disk and
 * index, where that is free. Nothing of them changes by that but the name, so what follows is an ordinary plan. The rename is one
 * transition for a group, so a plan that is cut off anywhere leaves either the old names or the new ones.
 */
export function migrate(strategy: Strategy, standing: StandingPlace, faults: Fault[]): Migrated {
  if (strategy.groups.every(({ migratedFrom }) => migratedFrom.length === 0)) return { standing, renamings: [] }
  const place: StandingPlace = {
    ...standing,
    instances: new Map(standing.instances),
    byGroup: new Map(standing.byGroup),
    disks: new Map(standing.disks),
  }
  const renamings = strategy.groups.flatMap((group) => {
    const moves = takeOver(group, place, faults)
    const zones = new Map(group.migratedFrom.map(({ name, az }) => [name, az]))
    const settled = (place.byGroup.get(group.name) ?? []).map((instance) => {
      const former = instance.former?.group ?? instance.group
      return instance.az === null ? { ...instance, az: zones.get(former) ?? null } : instance
    })
    if (settled.length > 0) place.byGroup.set(group.name, settled)
    for (const instance of settled) place.instances.set(instance.id, instance)
    return moves.length > 0 ? [{ group: group.name, moves }] : []
  })
  return { standing: place, renamings }
}

/** Gives the group what stands under its former names. Changes `place`, which is a copy. */
function takeOver(group: GroupStrategy, place: StandingPlace, faults: Fault[]): Renaming['moves'] {
  const moves: Renaming['moves'] = []
  const own = [...(place.byGroup.get(group.name) ?? [])]
  const used = new Set(own.map(({ index }) => index))
  for (const id of place.disks.keys()) {
    const slot = parseSlot(id)
    if (slot?.group === group.name) used.add(slot.index)
  }
  const free = (wanted: number) => {
    let index = wanted
    if (used.has(index)) for (index = 0; used.has(index); ) index++
    used.add(index)
    return index
  }
  const disk = (from: string, to: string) => {
    const have = place.disks.get(from)
    if (!have) return
    place.disks.delete(from)
    place.disks.set(to, have)
    if (!have.orphan) moves.push({ from, to })
  }
  for (const { name, az } of group.migratedFrom) {
    if (name === group.name) continue
    for (const old of place.byGroup.get(name) ?? []) {
      if (az !== null && old.az !== null && old.az !== az) {
        const message = `${instanceName(name, old.index)} is in az ${old.az}, and migrated_from of ${group.name} says ${az}`
        faults.push(faultAt(group.place, message, { found: az, allowed: old.az }))
      }
      const index = free(old.index)
      const id = instanceId(group.name, index)
      own.push({ ...old, id, group: group.name, index, former: { group: name, index: old.index } })
      moves.push({ from: old.id, to: id })
      place.instances.delete(old.id)
      disk(diskId(name, old.index), diskId(group.name, index))
    }
    place.byGroup.delete(name)
    // Disks whose instance is gone or forgotten.
    for (const id of [...place.disks.keys()]) {
      const slot = parseSlot(id)
      if (slot?.group === name) disk(id, diskId(group.name, free(slot.index)))
    }
  }
  if (own.length > 0) place.byGroup.set(group.name, own.sort(byIndex))
  return moves
}

const byIndex = (a: StandingInstance, b: StandingInstance) => a.index - b.index

/** One remodel for each group that takes something over. Returns their ids: all that touches an instance comes after. */
export function rename({ writer }: Site, renamings: readonly Renaming[]): string[] {
  return renamings.map(({ group, moves }) =>
    writer.step(
      'rename-instances',
      group,
      { moves },
      {
        action: 'update',
        material: `group/${group}`,
        stage: 'Renaming instances',
        reasons: [`migrated_from of group ${group}`],
        title: `rename ${moves.map(({ from, to }) => `${from} to ${to}`).join(', ')}`,
      },
    ),
  )
}
