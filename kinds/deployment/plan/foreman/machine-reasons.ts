import type { PlanOptions } from '../../../contract/kind.ts'
import type { Placed } from '../placement.ts'
import type { GroupStrategy } from '../strategy.ts'
import type { StandingInstance } from './standing.ts'

/** Why an instance cannot stay on its machine, addresses aside; the words follow BOSH's kinds of change (bosh.md 1.3). */
export function machineReasons(
  group: GroupStrategy,
  slot: Placed,
  old: StandingInstance,
  hardware: string,
  options: PlanOptions,
): string[] {
  const { vm } = old
  if (!vm) return ['machine is gone']
  const reasons: string[] = []
  const stemcell = `${group.stemcell.name}/${group.stemcell.version}`
  if (options.recreate) reasons.push('recreate asked')
  if (vm.attributes.stemcell !== stemcell) reasons.push(`stemcell changed ${vm.attributes.stemcell} -> ${stemcell}`)
  if (vm.attributes.hardware !== hardware) reasons.push('vm type changed')
  if (vm.attributes.az !== slot.az) reasons.push(`az changed ${vm.attributes.az ?? 'none'} -> ${slot.az ?? 'none'}`)
  return reasons
}
