import type { CompileStrategy } from '../strategy.ts'
import type { Cloud } from './cloud.ts'
import type { Faults } from './faults.ts'
import { checkMachine, machine } from './machines.ts'

/**
 * The `compilation` block of the cloud config. Cloud properties are free, so two of them are ours, wherever they come
 * from (the block itself, its `vm_type` or a `vm_extension`): `network: host` gives packaging scripts the network of
 * the computer, which they do not have otherwise, and `time_limit` is how many seconds one package may take.
 */
export function compileStrategy(cloud: Cloud, faults: Faults): CompileStrategy {
  const at = cloud.compilation
  if (!at) return { workers: 1, reuse: false, resources: {} }
  const { value } = at
  checkMachine(at, cloud, faults)
  if (value.az !== undefined && !cloud.azs.has(value.az))
    faults.unknown(at, ['az'], { what: 'az', name: value.az, valid: cloud.azs.keys() })
  const network = cloud.networks.get(value.network)?.value
  if (!network) faults.unknown(at, ['network'], { what: 'network', name: value.network, valid: cloud.networks.keys() })
  else if (network.type === 'vip')
    faults.add(at, ['network'], 'packages cannot be compiled in a vip network', { found: value.network })
  else {
    const azs = new Set(network.azs)
    if (azs.size > 0 && !azs.has(value.az ?? '')) {
      faults.add(
        at,
        value.az === undefined ? [] : ['az'],
        `network "${value.network}" does not serve the az of compilation`,
        {
          found: value.az ?? 'no az',
          allowed: [...azs].join(', '),
        },
      )
    }
  }
  const { resources, properties } = machine(value, value.az ?? '', cloud)
  const { network: reach, time_limit: limit } = properties
  const seconds = typeof limit === 'number' && limit >= 1 ? limit : undefined
  if (limit !== undefined && seconds === undefined)
    faults.add(at, [], 'time_limit of compilation is not a number of seconds', { found: JSON.stringify(limit) })
  return {
    workers: value.workers,
    reuse: value.reuse_compilation_vms,
    resources,
    ...(reach === 'host' ? { network: reach } : {}),
    ...(value.orphan_workers ? { orphan: true } : {}),
    ...(seconds === undefined ? {} : { deadlineSeconds: seconds }),
  }
}
