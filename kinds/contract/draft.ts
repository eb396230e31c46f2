import type { Permit, Remodel, Window } from '../../shared/model/plan.ts'
import type { Reason } from '../../shared/model/reason.ts'
import type { Reservation } from '../../shared/model/reservation.ts'

/** A remodel as a kind writes it: what has a usual value may be left out. */
export type RemodelDraft = Pick<Remodel, 'id' | 'step' | 'action' | 'material' | 'stage'> &
  Partial<Omit<Remodel, 'input' | 'reasons'>> &
  Heading & {
    /** Of the kind's own; its phrases are declared beside its foreman. */
    reasons: Reason[]
    /**
     * In the shape that the step's schema reads, and nothing that JSON does not carry; fields that are
     * undefined are left out.
     */
    input?: unknown
  }

/**
 * What people read of a remodel: a verb and its subject, which make the title; or a title where
 * there are no such parts.
 */
type Heading = Required<Pick<Remodel, 'verb' | 'subject'>> | Pick<Remodel, 'title'>

/** What a kind's foreman returns; `sealPlan` checks it and turns it into a plan. */
export interface PlanDraft {
  remodels: RemodelDraft[]
  windows: Window[]
  permits: Permit[]
  /** Exclusive names of what it makes or changes. */
  reservations?: Reservation[]
  /** What the plan means for clients. */
  consequences?: string[]
  notes: string[]
}
