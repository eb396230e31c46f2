import { digestOf } from '../../../../shared/model/canonical.ts'
import type { GroupStrategy, Resources } from '../strategy.ts'
import type { Cloud } from './cloud.ts'
import type { Faults, Sourced } from './faults.ts'

interface MachineSpec {
  vm_type?: string | undefined
  vm_resources?: { cpu: number; ram: number; ephemeral_disk_size: number } | undefined
  vm_extensions?: string[] | undefined
  cloud_properties?: Record<string, unknown> | undefined
  env?: Record<string, unknown> | null | undefined
}

/** Checks the names a machine is described by; faults are put where they stand. */
export function checkMachine(at: Sourced<MachineSpec>, cloud: Cloud, faults: Faults): void {
  const { vm_type, vm_resources, vm_extensions, cloud_properties } = at.value
  if (vm_type !== undefined && !cloud.vmTypes.has(vm_type))
    faults.unknown(at, ['vm_type'], { what: 'vm type', name: vm_type, valid: cloud.vmTypes.keys() })
  for (const [index, name] of (vm_extensions ?? []).entries()) {
    if (!cloud.vmExtensions.has(name))
      faults.unknown(at, ['vm_extensions', index], { what: 'vm extension', name, valid: cloud.vmExtensions.keys() })
  }
  const ways = [vm_type, vm_resources, cloud_properties].filter((way) => way !== undefined).length
  if (ways > 1)
    faults.add(at, [], 'a machine is described by one of vm_type, vm_resources and cloud_properties, not by several')
}

/** One machine for each AZ: what the cloud is asked for, and a digest that says when it is another machine. */
export function machinesByAz(
  spec: MachineSpec,
  azs: readonly string[] | null,
  cloud: Cloud,
): GroupStrategy['machines'] {
  return Object.fromEntries(
    (azs ?? ['']).map((az) => {
      const { hardware, resources } = machine(spec, az, cloud)
      return [az, { hardware, resources }]
    }),
  )
}

/** Extensions win over the type, the type over the AZ, as in BOSH. */
export function machine(
  spec: MachineSpec,
  az: string,
  cloud: Cloud,
): { hardware: string; resources: Resources; properties: Record<string, unknown> } {
  const type = spec.vm_type === undefined ? undefined : cloud.vmTypes.get(spec.vm_type)?.value
  const extensions = (spec.vm_extensions ?? []).map(
    (name) => cloud.vmExtensions.get(name)?.value.cloud_properties ?? {},
  )
  const properties: Record<string, unknown> = Object.assign(
    {},
    cloud.azs.get(az)?.value.cloud_properties,
    spec.cloud_properties,
    type?.cloud_properties,
    ...extensions,
  )
  return {
    hardware: digestOf({ properties, resources: spec.vm_resources ?? null, env: spec.env ?? {} }),
    resources: spec.vm_resources ? resourcesOf({ ...spec.vm_resources }) : resourcesOf(properties),
    properties,
  }
}

/** Cloud properties are free; these spellings are the common ones for what a machine may use. */
function resourcesOf(properties: Record<string, unknown>): Resources {
  const number = (...names: string[]) =>
    names.map((name) => properties[name]).find((value) => typeof value === 'number')
  const [cpus, memoryMiB, diskMiB] = [
    number('cpus', 'cpu'),
    number('ram', 'memory', 'memory_mib'),
    number('ephemeral_disk_size', 'disk', 'disk_mib'),
  ]
  return {
    ...(cpus === undefined ? {} : { cpus }),
    ...(memoryMiB === undefined ? {} : { memoryMiB }),
    ...(diskMiB === undefined ? {} : { diskMiB }),
  }
}
