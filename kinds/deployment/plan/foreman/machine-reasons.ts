import type { PlanOptions } from '../../../contract/kind.ts'
import type { GroupStrategy } from '../strategy.ts'
import type { Matched } from './stages.ts'
import type { StandingInstance } from './standing.ts'

/** Why an instance cannot stay on its machine, addresses aside; the words follow BOSH's kinds of change. */
export function machineReasons({ group, az }: Matched, { vm }: StandingInstance, options: PlanOptions): string[] {
  if (!vm) return ['machine is gone']
  const { stemcell, hardware, az: before } = vm.attributes
  const [wanted, machine] = [stemcellOf(group), group.machines[az ?? '']]
  const reasons: string[] = []
  if (options.recreate) reasons.push('recreate asked')
  if (stemcell !== wanted) reasons.push(`stemcell changed ${stemcell} -> ${wanted}`)
  if (hardware !== (machine?.hardware ?? '')) reasons.push('vm type changed')
  if (before !== az) reasons.push(`az changed ${before ?? 'none'} -> ${az ?? 'none'}`)
  return reasons
}

/** `<name>/<version>`, as a machine's attributes have it. */
export function stemcellOf({ stemcell }: GroupStrategy): string {
  return `${stemcell.name}/${stemcell.version}`
}
