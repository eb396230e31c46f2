import { type ActualMaterial, materialName, materialType } from '../../../shared/model/material.ts'
import type { RecordedInstance } from '../../contract/kind.ts'
import { InstanceAttributes } from '../inputs.ts'

/** The servers of the database. Pure. */
export function instances(materials: readonly ActualMaterial[]): RecordedInstance[] {
  return materials.flatMap((material) => {
    if (materialType(material.id) !== 'instance') return []
    const { vm, address } = InstanceAttributes.pick({ vm: true, address: true }).parse(material.attributes)
    const nothing = { az: null, stemcell: null, disk: null }
    return [{ material, instance: materialName(material.id), addresses: [address], vm, ...nothing, stopped: false }]
  })
}
