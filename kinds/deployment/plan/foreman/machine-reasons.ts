import type { PlanOptions } from '../../../contract/kind.ts'
import type { DeploymentReason } from '../../reasons.ts'
import type { GroupStrategy } from '../strategy.ts'
import type { ActualInstance } from './actual.ts'
import type { Matched } from './stages.ts'

/** Why an instance cannot stay on its machine, addresses aside. */
export function machineReasons(
  { group, az, asked }: Matched,
  { vm, health }: ActualInstance,
  options: PlanOptions,
): DeploymentReason[] {
  if (!vm) return [{ code: 'machine-gone' }]
  const { stemcell, hardware, az: before } = vm.attributes
  const [wanted, machine] = [stemcellOf(group), group.machines[az ?? '']]
  const reasons: DeploymentReason[] = []
  if (options.recreate || asked === 'recreate') reasons.push({ code: 'recreate-asked' })
  else if (options.repairs && health === 'unresponsive') reasons.push({ code: 'machine-silent' })
  if (stemcell !== wanted) reasons.push({ code: 'stemcell-changed', before: stemcell, after: wanted })
  if (hardware !== (machine?.hardware ?? '')) reasons.push({ code: 'vm-type-changed' })
  if (before !== az) reasons.push({ code: 'az-changed', before, after: az })
  return reasons
}

/** `<name>/<version>`, as a machine's attributes have it. */
export function stemcellOf({ stemcell }: GroupStrategy): string {
  return `${stemcell.name}/${stemcell.version}`
}
