import type { Timed } from '../../../shared/compilation/durations.ts'
import {
  type ActualMaterial,
  type Blueprint,
  type Material,
  materialName,
  materialType,
} from '../../../shared/model/material.ts'
import { type Look, type Observation, observation } from '../../../shared/model/observation.ts'
import type { Disk, Vm } from '../../../shared/provider/provider.ts'
import { osOf } from '../../../shared/release/package-form.ts'
import { eachAtMost } from '../../../shared/runtime/parallel.ts'
import type { Inspection, World } from '../../contract/kind.ts'
import { type DiskAttributes, type InstanceAttributes, VmAttributes } from '../inputs.ts'
import { diskId, instanceId, slotOf, vmId } from '../plan/names.ts'
import { duration, faults, type Health, health } from '../plan/observations.ts'
import { healthOf } from './health.ts'
import { lookAtMachine } from './machine.ts'

/** As many machines are asked at once as BOSH asks (`max_threads`). */
const atOnce = 32

/**
 * The world -> floorplan: what is recorded, with how it does today. Machines are asked in parallel with a short
 * timeout, so a frozen one costs a second, not the deploy. Changes nothing.
 *
 * - Of `vm/<cid>`, `instance/...` and `disk/...` it observes the health, and with a closer look the faults; the
 *   materials are as recorded.
 * - Machines and disks that the provider says this deployment owns, and no record names, are added with
 *   `meta.orphan`: a step was cut off before it could say so, or Redis has lost the end of what it had recorded. The
 *   foreman takes them up or away.
 * - `package/...`: those of the blueprint that are compiled already; of the others, an observation says
 *   how long it took before.
 */
export async function inspector(blueprint: Blueprint, world: World): Promise<Inspection> {
  const owner = `deployment/${blueprint.deployment}`
  const look = { at: Date.now(), observer: world.observer }
  const [vms, disks, packages] = await Promise.all([
    world.provider.listVms({ owner }),
    world.provider.listDisks({ owner }),
    compiledPackages(blueprint, world, look),
  ])
  const vmById = new Map(vms.map((vm) => [vm.id, vm]))
  const diskById = new Map(disks.map((disk) => [disk.id, disk]))
  const recorded = world.recorded.materials.filter((material) => materialType(material.id) !== 'package')
  const found = await instancesAsFound(recorded, vmById, world)
  for (const material of recorded) {
    const type = materialType(material.id)
    if (type === 'vm') found.set(material.id, { health: vmHealth(vmById.get(materialName(material.id))), faults: [] })
    if (type !== 'disk') continue
    const disk = diskById.get(String(material.meta.cid))
    const wrong = world.closely && disk ? diskFaults(material, disk, { recorded, vmById }) : []
    found.set(material.id, { ...(disk ? {} : { health: 'missing' }), faults: wrong })
  }
  const strays = orphanDisks(disks, recorded)
  for (const { id } of strays) found.delete(id)
  const replaced = new Set(strays.map(({ id }) => id))
  const known = recorded.filter(({ id }) => !replaced.has(id))
  const machines = orphanVms(vms, recorded)
  for (const { id } of machines) found.set(id, { health: vmHealth(vmById.get(materialName(id))), faults: [] })
  return {
    materials: [...known, ...machines, ...strays, ...packages.compiled],
    observations: [...[...found].flatMap(([id, one]) => observationsOf(id, one, look)), ...packages.durations],
  }
}

interface Found {
  health?: Health
  faults: string[]
}

function observationsOf(id: string, found: Found, look: Look): Observation[] {
  return [
    ...(found.health === undefined ? [] : [observation(health, id, found.health, look)]),
    ...(found.faults.length === 0 ? [] : [observation(faults, id, found.faults, look)]),
  ]
}

async function instancesAsFound(
  recorded: readonly ActualMaterial[],
  vms: ReadonlyMap<string, Vm>,
  { provider, closely }: World,
): Promise<Map<string, Found>> {
  const found = new Map<string, Found>()
  const instances = recorded.filter((material) => materialType(material.id) === 'instance')
  const table = recorded.find(({ id }) => materialType(id) === 'addresses')?.attributes.table
  const disks = new Set(recorded.map(({ id }) => id).filter((id) => materialType(id) === 'disk'))
  await eachAtMost(atOnce, instances, async (material) => {
    const vm = typeof material.meta.vm === 'string' ? vms.get(material.meta.vm) : undefined
    const alive = vm !== undefined && vmHealth(vm) === 'running'
    const { state: recordedState, intents } = material.attributes as InstanceAttributes
    // After a plan that failed at a start its processes may be there.
    const expected = recordedState === 'started' ? 'running' : intents?.includes('stopped') ? 'stopped' : 'either'
    const state = alive ? await healthOf(provider, vm.id, expected) : vmHealth(vm)
    const slot = slotOf(material.id)
    const wrong =
      closely && alive
        ? await lookAtMachine(provider, vm.id, {
            attributes: material.attributes as InstanceAttributes,
            table: typeof table === 'string' ? table : null,
            disk: slot !== null && disks.has(diskId(slot.group, slot.index)),
          })
        : []
    found.set(material.id, { health: state, faults: wrong })
  })
  return found
}

/** A disk of an instance hangs on the instance's machine, and has the size that was recorded. */
function diskFaults(
  material: ActualMaterial,
  disk: Disk,
  { recorded, vmById }: { recorded: readonly ActualMaterial[]; vmById: ReadonlyMap<string, Vm> },
): string[] {
  const wrong: string[] = []
  const { sizeMiB } = material.attributes as DiskAttributes
  if (disk.sizeMiB !== sizeMiB) wrong.push(`has ${disk.sizeMiB} MiB instead of ${sizeMiB}`)
  const slot = slotOf(material.id)
  const ownerId = slot && instanceId(slot.group, slot.index)
  const owner = recorded.find(({ id }) => id === ownerId)
  const runs = owner && material.meta.kept !== true && vmHealth(vmById.get(String(owner.meta.vm))) === 'running'
  if (runs && disk.vm !== owner.meta.vm) wrong.push('is not attached to its machine')
  return wrong
}

/** A machine that is only half made does not answer. */
function vmHealth(vm: Vm | undefined): 'running' | 'unresponsive' | 'missing' {
  if (!vm || vm.state === 'dead') return 'missing'
  return vm.state === 'creating' ? 'unresponsive' : 'running'
}

/** `ownership.vm` holds the attributes the machine was asked for with; without them it fits nothing and is deleted. */
function orphanVms(vms: readonly Vm[], recorded: readonly ActualMaterial[]): ActualMaterial[] {
  const known = new Set(recorded.map((material) => material.id))
  return vms
    .filter((vm) => !known.has(vmId(vm.id)))
    .map((vm) => ({
      id: vmId(vm.id),
      attributes: attributesOf(vm),
      needs: [],
      meta: { orphan: true },
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
}

function attributesOf(vm: Vm): VmAttributes {
  const { purpose, vm: stored } = vm.ownership
  try {
    const parsed = VmAttributes.safeParse(JSON.parse(stored ?? 'null'))
    if (parsed.success) return parsed.data
  } catch {
    // Not ours, or of another version: then all that is known is what the provider says.
  }
  const networks = vm.addresses.map((address) => ({ name: '', address }))
  return { purpose, az: null, stemcell: vm.stemcell, hardware: '', networks }
}

/**
 * A disk that no record names is taken up again under the name it was made for, so that its data is not lost, also
 * where the disk that is recorded there is gone. Where that name has a disk, or is none of a disk, it is `disk/<cid>`.
 */
function orphanDisks(disks: readonly Disk[], recorded: readonly ActualMaterial[]): ActualMaterial[] {
  const cids = new Set(recorded.map((material) => material.meta.cid))
  const existing = new Set(disks.map((disk) => disk.id))
  const taken = new Set(recorded.filter(({ meta }) => existing.has(String(meta.cid))).map((material) => material.id))
  // Of two that were made for one instance, the one that it has.
  const order = (disk: Disk) => `${disk.vm === undefined ? 1 : 0} ${disk.id}`
  const found: ActualMaterial[] = []
  for (const disk of [...disks].sort((a, b) => (order(a) < order(b) ? -1 : 1))) {
    if (cids.has(disk.id)) continue
    const { purpose } = disk.ownership
    const id = materialType(purpose) === 'disk' && !taken.has(purpose) ? purpose : `disk/${disk.id}`
    taken.add(id)
    const attributes: DiskAttributes = { sizeMiB: disk.sizeMiB, type: null }
    found.push({ id, attributes, needs: [], meta: { cid: disk.id, orphan: true } })
  }
  return found
}

async function compiledPackages(
  blueprint: Blueprint,
  world: World,
  look: Look,
): Promise<{ compiled: ActualMaterial[]; durations: Observation[] }> {
  const wanted = blueprint.materials.filter((material) => materialType(material.id) === 'package')
  const known = await world.compiled.find(wanted.map(keyOf))
  const [compiled, missing] = [true, false].map((there) =>
    wanted.filter((material) => known.has(keyOf(material)) === there),
  ) as [Material[], Material[]]
  const durations = await world.durations.find(missing.map(timed))
  return {
    compiled: compiled.map((material) => ({ ...material, meta: {} })),
    durations: missing.flatMap(({ id }, i) => {
      const ms = durations[i]?.ms
      return ms === undefined ? [] : [observation(duration, id, ms, look)]
    }),
  }
}

function timed({ attributes: { name, fingerprint, stemcell } }: Material): Timed {
  return { name: String(name), fingerprint: String(fingerprint), os: osOf(String(stemcell)).os }
}

const keyOf = (material: Material) => String(material.attributes.key)
