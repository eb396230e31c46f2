import type { InstanceAttributes, Intent, VmAttributes } from '../../inputs.ts'
import type { DeploymentReason } from '../../reasons.ts'
import type { Lifecycle } from '../lifecycle.ts'
import type { Resources } from '../strategy.ts'
import type { ActualDisk, ActualInstance, ActualVm } from './actual.ts'
import type { WantedGroup } from './wanted.ts'

/*
 * The way of a wanted instance through the foreman. Each stage makes values of its own from those of the stage before:
 *
 *   matched -> addressed -> rendered -> decided
 */

/**
 * What is done about one wanted instance:
 * - `none`: it is as it should be, or left as it is;
 * - `record`: only what a person wants of it is recorded;
 * - `stop`: its processes are stopped, and that is recorded as what a person wants;
 * - `create`: it is new;
 * - `update`: its machine stays, what runs on it changes;
 * - `recreate`: its machine is deleted, then made anew, as one needs the other's address (delete-create), or as the old
 *   one is gone or does not answer;
 * - `swap`: the new machine is made beside the old one, which goes after the new one is healthy (create-swap-delete).
 */
export type How = 'none' | 'record' | 'stop' | 'create' | 'update' | 'recreate' | 'swap'

/** It has an index and an AZ, and where such an instance exists, that is the one. */
export interface Matched {
  readonly id: string
  readonly name: string
  readonly group: WantedGroup
  readonly index: number
  readonly az: string | null
  /** Network name -> static address. */
  readonly statics: Readonly<Record<string, string>>
  readonly old: ActualInstance | null
  /** What a person wants of it from now on. */
  readonly intents: readonly Intent[]
  /** It is left as it is: a person wants that, or the plan is about other instances. */
  readonly isLeft: boolean
  /** What the plan's action asks of it. */
  readonly asked: Lifecycle['what'] | null
}

/** It has a machine with addresses, and a disk where it wants one. */
export interface Addressed extends Matched {
  readonly how: Exclude<How, 'update' | 'record' | 'stop'>
  /** Why its machine cannot stay. */
  readonly reasons: readonly DeploymentReason[]
  /** The machine it will run on: the present one, a spare of an interrupted plan, or one that is made. */
  readonly vm: VmAttributes
  readonly cid: string
  readonly adopted: ActualVm | null
  readonly resources: Resources
  readonly disk: DiskTask
  readonly networks: VmAttributes['networks']
}

/** Its templates are rendered: all that the floorplan is to say of it is known. */
export interface Rendered extends Addressed {
  readonly attributes: InstanceAttributes
}

/** It is compared with the floorplan: what is done about it, and why. */
export interface Decided extends Omit<Rendered, 'how'> {
  readonly how: How
}

/** Whether its machine can be spoken to once the plan has come to its end. */
export const answers = (one: Decided) => starts(one) || (one.old?.vm != null && one.old.health !== 'unresponsive')

/** Whether something of the instance is started. */
export const starts = ({ how }: Pick<Decided, 'how'>) => how !== 'none' && how !== 'record' && how !== 'stop'

export interface DiskTask {
  readonly id: string
  readonly have: ActualDisk | null
  /** Null where the group wants no disk. */
  readonly cid: string | null
  readonly how: 'none' | 'create' | 'resize' | 'delete'
}
