import type { PlanContext } from './context.ts'
import type { DraftWriter } from './draft.ts'

/** What all steps of one plan share. The remodels are written to `writer`, in the order of the plan. */
export interface Site {
  readonly context: PlanContext
  readonly writer: DraftWriter
  /** Blob of the table that a machine made in the middle of the plan is given. */
  readonly table: string
  /** Materials that are gone once an instance was started: the record that post-deploy scripts have run. */
  readonly voids: readonly string[]
}

/**
 * When a remodel may run, and the permit of the update windows that it takes then; null where it
 * runs ahead of all updates.
 */
export interface Turn {
  readonly needs: readonly string[]
  readonly permit: string | null
}
