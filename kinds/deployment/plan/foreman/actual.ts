import { type ActualMaterial, type Floorplan, materialName, materialType } from '../../../../shared/model/material.ts'
import type { DiskAttributes, InstanceAttributes, VmAttributes } from '../../inputs.ts'
import { type Slot, slotOf } from '../names.ts'
import { Health } from '../observations.ts'

export interface ActualVm {
  readonly cid: string
  readonly attributes: VmAttributes
  readonly health: Health
  /** It exists and no record names it: Redis lost the end of what it had acknowledged, or a step was cut off. */
  readonly orphan: boolean
}

export interface ActualInstance extends Slot {
  readonly id: string
  readonly attributes: InstanceAttributes
  /** The machine it runs on; null where that is gone. A machine that does not answer is still there. */
  readonly vm: ActualVm | null
  /** The AZ it was made in, or the one that the manifest says of one that was made without. */
  readonly az: string | null
  /** What it is recorded as until the plan renames it. */
  readonly former?: Slot
  /** The cid it was recorded with, alive or not. */
  readonly cid: string | null
  readonly health: Health
}

export interface ActualDisk {
  readonly id: string
  /** Its id without the type: `web/0`, or its cid where it is of no instance. */
  readonly name: string
  /** The instance it is of; null where it is kept for none. */
  readonly slot: Slot | null
  readonly cid: string
  readonly attributes: DiskAttributes
  readonly missing: boolean
  readonly orphan: boolean
  /** No instance wanted it when it was found; it stays until the deployment is removed. */
  readonly kept: boolean
}

/** The floorplan, sorted out once: everything below finds things in constant time. */
export interface IndexedFloorplan {
  readonly instances: ReadonlyMap<string, ActualInstance>
  readonly byGroup: ReadonlyMap<string, readonly ActualInstance[]>
  readonly disks: ReadonlyMap<string, ActualDisk>
  /** All machines of the record, gone ones too. */
  readonly vms: ReadonlyMap<string, ActualVm>
  /** Machines that no instance runs on, by what they were made for. */
  readonly spares: ReadonlyMap<string, readonly ActualVm[]>
  readonly packages: ReadonlySet<string>
  /** Digest of the address table that all machines have; null where none was published. */
  readonly table: string | null
  /** What the post-deploy scripts have run for; null where they have not run since. */
  readonly postDeploy: string | null
}

/**
 * Sorts a floorplan's materials by what they are, with the health that was seen of them. From here on all is in the
 * order of names, whatever order they came in.
 */
export function readFloorplan(
  { materials }: Pick<Floorplan, 'materials'>,
  seen: ReadonlyMap<string, Health>,
): IndexedFloorplan {
  const byType = Map.groupBy(materials, ({ id }) => materialType(id))
  const of = (type: string) => byType.get(type) ?? []
  const vms = new Map(of('vm').map((material) => [materialName(material.id), vmOf(material, seen)]))
  const instances = of('instance').flatMap((material) => instanceOf(material, vms, seen))
  const table = of('addresses').at(-1)?.attributes.table
  const postDeploy = of('post-deploy').at(-1)?.attributes.of
  const groups = Map.groupBy(instances, ({ group }) => group)
  const byGroup = new Map(
    [...groups.keys()].sort().map((name) => [name, (groups.get(name) ?? []).sort((a, b) => a.index - b.index)]),
  )
  return {
    instances: new Map([...byGroup.values()].flat().map((instance) => [instance.id, instance])),
    byGroup,
    disks: new Map(
      of('disk')
        .sort(byId)
        .map((material) => [material.id, diskOf(material, seen)]),
    ),
    vms,
    spares: sparesOf(vms, instances),
    packages: new Set(of('package').map(({ id }) => id)),
    table: typeof table === 'string' ? table : null,
    postDeploy: postDeploy === undefined ? null : String(postDeploy),
  }
}

function vmOf({ id, attributes, meta }: ActualMaterial, seen: ReadonlyMap<string, Health>): ActualVm {
  return {
    cid: materialName(id),
    attributes: attributes as VmAttributes,
    health: seen.get(id) ?? 'running',
    orphan: meta.orphan === true,
  }
}

function diskOf({ id, attributes, meta }: ActualMaterial, seen: ReadonlyMap<string, Health>): ActualDisk {
  return {
    id,
    name: materialName(id),
    slot: slotOf(id),
    cid: String(meta.cid),
    attributes: attributes as DiskAttributes,
    missing: seen.get(id) === 'missing',
    orphan: meta.orphan === true,
    kept: meta.kept === true,
  }
}

function instanceOf(
  { id, attributes, meta }: ActualMaterial,
  vms: ReadonlyMap<string, ActualVm>,
  seen: ReadonlyMap<string, Health>,
): ActualInstance[] {
  const slot = slotOf(id)
  if (!slot) return []
  const recorded = attributes as InstanceAttributes
  const cid = typeof meta.vm === 'string' ? meta.vm : null
  const vm = (cid === null ? undefined : vms.get(cid)) ?? null
  const health = vm === null || vm.health === 'missing' ? 'missing' : worse(seen.get(id) ?? 'running', vm.health)
  return [{ id, ...slot, attributes: recorded, az: recorded.az, cid, health, vm: health === 'missing' ? null : vm }]
}

function sparesOf(
  vms: ReadonlyMap<string, ActualVm>,
  instances: readonly ActualInstance[],
): IndexedFloorplan['spares'] {
  const used = new Set(instances.map(({ cid }) => cid))
  const unused = [...vms.values()].filter((vm) => !used.has(vm.cid)).sort((a, b) => (a.cid < b.cid ? -1 : 1))
  return Map.groupBy(unused, (vm) => vm.attributes.purpose)
}

const byId = (a: ActualMaterial, b: ActualMaterial) => (a.id < b.id ? -1 : 1)

function worse(a: Health, b: Health): Health {
  const order = Health.options
  return order.indexOf(a) >= order.indexOf(b) ? a : b
}
