import type { InstanceAttributes, VmAttributes } from '../../inputs.ts'
import type { GroupStrategy, Resources } from '../strategy.ts'
import type { StandingDisk, StandingInstance, StandingVm } from './standing.ts'

/**
 * What is done about one wanted instance:
 * - `none`: it stands as it should;
 * - `create`: it is new;
 * - `update`: its machine stays, what runs on it changes;
 * - `recreate`: its machine is deleted, then made anew, as one needs the other's address (delete-create), or as the old
 *   one is gone or does not answer;
 * - `swap`: the new machine is made beside the old one, which goes after the new one is healthy (create-swap-delete).
 */
export type How = 'none' | 'create' | 'update' | 'recreate' | 'swap'

/** One wanted instance, its place and the machine it will be on. */
export interface Task {
  id: string
  name: string
  group: GroupStrategy
  index: number
  az: string | null
  how: How
  old: StandingInstance | null
  /** The machine it will run on: the present one, a spare of an interrupted plan, or one that is made. */
  vm: VmAttributes
  cid: string
  adopted: StandingVm | null
  resources: Resources
  disk: DiskTask
  /** What should stand; `configuration` is filled in after rendering. */
  attributes: InstanceAttributes
  reasons: string[]
}

export interface DiskTask {
  id: string
  have: StandingDisk | null
  /** Null where the group wants no disk. */
  cid: string | null
  how: 'none' | 'create' | 'resize' | 'delete'
}
