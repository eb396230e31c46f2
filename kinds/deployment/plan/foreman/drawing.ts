import type { Claims } from './claims.ts'
import type { Renaming } from './migrating.ts'
import type { Site } from './site.ts'
import type { Decided } from './stages.ts'
import type { StandingDisk, StandingInstance, StandingVm } from './standing.ts'
import type { WantedGroup } from './wanted.ts'

/** What the stages of the foreman have come to. */
export interface Decisions {
  /** All wanted instances, changed or not. */
  readonly instances: readonly Decided[]
  /** Instances that are not wanted any more. */
  readonly obsolete: readonly StandingInstance[]
  /** Machines of interrupted plans that fit nothing. */
  readonly spares: readonly StandingVm[]
  readonly renamings: readonly Renaming[]
  readonly notes: readonly string[]
}

/** A disk of no instance, wanted or standing; it `stays` where no record names it. */
export interface Stray {
  readonly disk: StandingDisk
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
  readonly claims: Claims
  readonly strays: readonly Stray[]
}
