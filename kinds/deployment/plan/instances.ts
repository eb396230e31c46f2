import { type ActualMaterial, materialName, materialType } from '../../../shared/model/material.ts'
import type { RecordedInstance } from '../../contract/kind.ts'
import { diskIdOf, vmId } from './names.ts'

/**
 * The instances of the deployment, and those that no deploy has brought up yet, by the machines that were made for
 * them: what fails in a first deploy is to be looked at there. Pure.
 */
export function instances(materials: readonly ActualMaterial[]): RecordedInstance[] {
  const byId = new Map(materials.map((material) => [material.id, material]))
  return [...recordedInstances(materials), ...begunInstances(materials)].map((material) => {
    const instance = materialName(material.id)
    const vm = vmOf(material)
    const { az, state, intents, networks = [] } = material.attributes as Partial<Attributes>
    return {
      material,
      instance,
      az: az ?? null,
      addresses: networks.map(({ address }) => address),
      vm,
      stemcell: textOf(vm === null ? null : byId.get(vmId(vm))?.attributes.stemcell),
      disk: textOf(byId.get(diskIdOf(instance))?.meta.cid),
      stopped: state === 'stopped',
      ...(intents === undefined ? {} : { intents }),
    }
  })
}

/** Those of a record that another version has written: each may be missing. */
interface Attributes {
  az: string | null
  state: string
  intents: string[]
  networks: { address: string }[]
}

function recordedInstances(materials: readonly ActualMaterial[]): ActualMaterial[] {
  return materials.filter(({ id }) => materialType(id) === 'instance')
}

/** Where several machines were made for one instance, the first by name. */
function begunInstances(materials: readonly ActualMaterial[]): ActualMaterial[] {
  const recorded = recordedInstances(materials)
  const found = new Set(recorded.map(({ id }) => id))
  // One that was renamed runs on a machine that was made for its former name.
  const used = new Set(recorded.map(vmOf))
  const machines = materials.filter(({ id }) => materialType(id) === 'vm').sort((a, b) => (a.id < b.id ? -1 : 1))
  return machines.flatMap(({ id, attributes }): ActualMaterial[] => {
    const { purpose, az = null, networks = [] } = attributes
    const vm = materialName(id)
    if (used.has(vm) || typeof purpose !== 'string' || materialType(purpose) !== 'instance' || found.has(purpose))
      return []
    found.add(purpose)
    return [{ id: purpose, attributes: { az, networks, state: 'started' }, needs: [], meta: { vm } }]
  })
}

function vmOf({ meta }: ActualMaterial): string | null {
  return textOf(meta.vm)
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : null)
