import { type Material, materialType } from '../../../../shared/model/material.ts'
import { DiskAttributes } from '../../inputs.ts'
import { diskId, slotOf } from '../names.ts'
import { type GroupStrategy, type Strategy, WantedAttributes } from '../strategy.ts'

/** A group as the blueprint's materials want it, with the strategy that gets it there. */
export interface WantedGroup extends GroupStrategy {
  /** How many instances, all alike. */
  readonly count: number
  readonly attributes: WantedAttributes
  /** Of each instance; null where it has none. */
  readonly disk: DiskAttributes | null
}

/** The blueprint, as the foreman reads it. */
export interface Wanted extends Omit<Strategy, 'groups'> {
  /** In the order of the manifest; groups that are errands are left out. */
  readonly groups: readonly WantedGroup[]
}

/** What a group without instances wants. */
const nothing: WantedAttributes = { jobs: {}, packages: {}, state: 'started' }

export function readBlueprint({ materials, strategy }: { materials: readonly Material[]; strategy: Strategy }): Wanted {
  const disks = new Map<string, Material>()
  const instances = new Map<string, Material[]>()
  for (const material of materials) {
    const type = materialType(material.id)
    if (type === 'disk') disks.set(material.id, material)
    if (type !== 'instance') continue
    const group = slotOf(material.id)?.group ?? ''
    const known = instances.get(group)
    if (known) known.push(material)
    else instances.set(group, [material])
  }
  const groups = strategy.groups.map((group): WantedGroup => {
    const own = instances.get(group.name) ?? []
    const [first] = own
    const disk = disks.get(diskId(group.name, 0))
    return {
      ...group,
      count: own.length,
      attributes: first ? WantedAttributes.parse(first.attributes) : nothing,
      disk: disk ? DiskAttributes.parse(disk.attributes) : null,
    }
  })
  return { ...strategy, groups }
}
