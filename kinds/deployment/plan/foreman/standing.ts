import type { Floorplan } from '../../../../shared/model/material.ts'
import type { DiskAttributes, InstanceAttributes, VmAttributes } from '../../inputs.ts'
import { parseSlot } from '../names.ts'
import { Health } from '../observations.ts'

export interface StandingVm {
  cid: string
  attributes: VmAttributes
  health: Health
  /** It stands and no record names it: Redis lost the end of what it had acknowledged, or a step was cut off. */
  orphan: boolean
}

export interface StandingInstance {
  id: string
  group: string
  index: number
  attributes: InstanceAttributes
  /** The machine it runs on; null where that is gone. A machine that does not answer is still there. */
  vm: StandingVm | null
  /** Where it is: the AZ it was made in, or the one that the manifest says of one that was made without. */
  az: string | null
  /** What it is recorded as until the plan renames it. */
  former?: { group: string; index: number }
  /** The cid it was recorded with, alive or not. */
  cid: string | null
  health: Health
}

export interface StandingDisk {
  cid: string
  attributes: DiskAttributes
  missing: boolean
  orphan: boolean
  /** No instance wanted it when it was found; it stays until the deployment is removed. */
  kept: boolean
}

/** The floorplan, sorted out once: everything below finds things in constant time. */
export interface StandingPlace {
  instances: Map<string, StandingInstance>
  byGroup: Map<string, StandingInstance[]>
  disks: Map<string, StandingDisk>
  /** All machines of the record, gone ones too. */
  vms: Map<string, StandingVm>
  /** Machines that no instance runs on, by what they were made for. */
  spares: Map<string, StandingVm[]>
  packages: Set<string>
  /** Digest of the address table that all machines have; null where none was published. */
  table: string | null
  /** What the post-deploy scripts have run for; null where they have not run since. */
  postDeploy: string | null
}

/** Sorts a floorplan's materials by what they are, with the health that was seen of them. */
export function readFloorplan(floorplan: Floorplan, seen: ReadonlyMap<string, Health>): StandingPlace {
  const place: StandingPlace = {
    instances: new Map(),
    byGroup: new Map(),
    disks: new Map(),
    vms: new Map(),
    spares: new Map(),
    packages: new Set(),
    table: null,
    postDeploy: null,
  }
  const instances: Floorplan['materials'] = []
  const disks: StandingPlace['disks'] = new Map()
  const byGroup: StandingPlace['byGroup'] = new Map()
  for (const material of floorplan.materials) {
    const { id, meta } = material
    const type = id.slice(0, id.indexOf('/'))
    if (type === 'vm') {
      const cid = id.slice('vm/'.length)
      const attributes = material.attributes as VmAttributes
      place.vms.set(cid, { cid, attributes, health: seen.get(id) ?? 'running', orphan: meta.orphan === true })
    } else if (type === 'disk') {
      const disk = {
        cid: String(meta.cid),
        attributes: material.attributes as DiskAttributes,
        missing: seen.get(id) === 'missing',
        orphan: meta.orphan === true,
        kept: meta.kept === true,
      }
      disks.set(id, disk)
    } else if (type === 'package') place.packages.add(id)
    else if (type === 'addresses')
      place.table = typeof material.attributes.table === 'string' ? material.attributes.table : null
    else if (type === 'post-deploy') place.postDeploy = String(material.attributes.of)
    else if (type === 'instance') instances.push(material)
  }
  const used = new Set<string>()
  for (const { id, attributes, meta } of instances) {
    const slot = parseSlot(id)
    if (!slot) continue
    const cid = typeof meta.vm === 'string' ? meta.vm : null
    const vm = (cid === null ? undefined : place.vms.get(cid)) ?? null
    if (cid !== null) used.add(cid)
    const health = vm === null || vm.health === 'missing' ? 'missing' : worse(seen.get(id) ?? 'running', vm.health)
    const instance = {
      id,
      ...slot,
      attributes: attributes as InstanceAttributes,
      az: (attributes as InstanceAttributes).az,
      cid,
      health,
      vm: health === 'missing' ? null : vm,
    }
    const group = byGroup.get(slot.group)
    if (group) group.push(instance)
    else byGroup.set(slot.group, [instance])
  }
  // From here on all is in the order of names, so that the same things in another order make the same plan.
  for (const name of [...byGroup.keys()].sort()) {
    const group = (byGroup.get(name) ?? []).sort((a, b) => a.index - b.index)
    place.byGroup.set(name, group)
    for (const instance of group) place.instances.set(instance.id, instance)
  }
  for (const id of [...disks.keys()].sort()) place.disks.set(id, disks.get(id)!)
  const unused = [...place.vms.values()].filter((vm) => !used.has(vm.cid))
  for (const vm of unused.sort((a, b) => (a.cid < b.cid ? -1 : 1))) {
    const spares = place.spares.get(vm.attributes.purpose)
    if (spares) spares.push(vm)
    else place.spares.set(vm.attributes.purpose, [vm])
  }
  return place
}

function worse(a: Health, b: Health): Health {
  const order = Health.options
  return order.indexOf(a) >= order.indexOf(b) ? a : b
}
