import type { ReservedNames } from '../../../../shared/model/reservation.ts'
import type { PlanOptions } from '../../../contract/kind.ts'
import type { DeploymentOptions } from '../options.ts'
import type { IndexedFloorplan } from './actual.ts'
import type { CloudIds } from './cloud-ids.ts'
import type { Wanted } from './wanted.ts'

/** All that a plan is drawn from. Each stage of the foreman reads it, none changes it. */
export interface PlanContext {
  readonly wanted: Wanted
  readonly actual: IndexedFloorplan
  readonly options: PlanOptions<DeploymentOptions>
  readonly cids: CloudIds
  /** Names that other deployments hold. */
  readonly reserved: ReservedNames
  /** Package -> how many milliseconds it took to compile it the last time. */
  readonly durations: ReadonlyMap<string, number>
}

/** Whether the plan is of an action, or a repair: it touches the instances that these are about, and nothing else. */
export const isPartial = ({ options }: Pick<PlanContext, 'options'>) =>
  options.own?.lifecycle !== undefined || options.repairs !== undefined
