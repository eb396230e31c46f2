import type { ActualDisk, ActualInstance, ActualVm } from './actual.ts'
import type { AddressMoves } from './address-moves.ts'
import type { Renaming } from './migrating.ts'
import type { Site } from './site.ts'
import type { Decided } from './stages.ts'
import type { WantedGroup } from './wanted.ts'

/** What the stages of the foreman have come to. */
export interface Decisions {
  /** All wanted instances, changed or not. */
  readonly instances: readonly Decided[]
  /** Instances that are not wanted any more. */
  readonly obsolete: readonly ActualInstance[]
  /** Those of them that the plan leaves as they are. */
  readonly left: readonly ActualInstance[]
  /** Machines of interrupted plans that fit nothing. */
  readonly spares: readonly ActualVm[]
  readonly renamings: readonly Renaming[]
  readonly notes: readonly string[]
}

/** A disk of no instance, wanted or actual; it `stays` where no record names it. */
export interface Stray {
  readonly disk: ActualDisk
  readonly stays: boolean
}

/** A plan that changes something, while its remodels are written. */
export interface Drawing extends Site {
  readonly decisions: Decisions
  /** Instances that change, in the order in which they are updated. */
  readonly tasks: readonly Decided[]
  /** The same, by group. */
  readonly changed: ReadonlyMap<string, readonly Decided[]>
  /** Groups that are updated together, wave after wave. */
  readonly waves: readonly (readonly WantedGroup[])[]
  readonly moves: AddressMoves
  readonly strays: readonly Stray[]
}
