import type { Actor } from '../model/actor.ts'
import type { ActualMaterial, Json } from '../model/material.ts'
import type { PlanState, Remodel, RemodelState } from '../model/plan.ts'
import type { Holder } from '../model/reservation.ts'
import type { Verdict } from '../model/verdict.ts'

/** What a worker holds while it carries out one remodel. */
export interface Claim {
  deployment: string
  plan: string
  kind: string
  remodel: Remodel
  attempt: number
  /** How often the remodel was released by now: with it a job of this attempt is called by a name of its own. */
  release: number
  /** Format of the plan: a worker may be older than it. */
  format: number
  /** Only grows within one deployment, and is of this attempt alone; whatever is changed is shown it. */
  fence: number
  /** The deployment owes fences: machines must be shown them before this attempt changes anything. */
  owes: boolean
  /** When it began, by Redis' clock. */
  startedAt: number
  /** Milliseconds the attempt may still take, by Redis' clock. */
  remainingMs: number
}

/** A fence that machines must be shown: it ends what an attempt may still do that others have ended. */
export interface OwedFence {
  material: string
  fence: number
  /** Machines that have not answered; null before any was asked. */
  left: string[] | null
}

/** The outcome of a report; `next` is the remodel that the worker took along. */
export interface CompletionResult {
  /** `cancelled`: of a `no-return` whose plan is being cancelled. */
  status: 'recorded' | 'superseded' | 'cancelled'
  next?: Claim
}

/** `held`: another worker has it, under the same job. */
export type ClaimResult =
  | { status: 'claimed'; claim: Claim }
  | { status: 'superseded'; state: string }
  | { status: 'held'; worker: string; fence: number }

/** What a worker was given a job for. */
export interface WantedRun {
  plan: string
  remodel: string
  job: string
  /**
   * Over whom it may begin, where another worker has it under the same job: over any (usual), over none, or over the
   * holder of that fence; `loss` where that one lives, so that no attempt of the plan is used.
   */
  over?: 'any' | 'none' | { fence: number; loss: boolean }
  /** It only waits for what is done for another one: the death of its worker is a loss, no attempt. */
  joins?: boolean
}

/**
 * How an attempt ended (`lost`: its worker lives and let go of it; `wait`: it is to be looked at again;
 * `not-mine`: its worker does not know the step), what it is doing (`progress`), or that it is at a point from
 * which it must go on (`no-return`).
 */
export interface Completion {
  plan: string
  remodel: string
  fence: number
  outcome: 'done' | 'failed' | 'retry' | 'lost' | 'wait' | 'not-mine' | 'progress' | 'no-return'
  /** Of `wait`: milliseconds until it is looked at again. */
  afterMs?: number
  floorplan?: Record<string, Omit<ActualMaterial, 'id'> | null>
  code?: string
  message?: string
  log?: string
  facts?: Record<string, Json>
  durationMs?: number
  /** The job that carries it: `jobName(remodel, release)`. */
  job?: string
  /** Take another ready remodel of this plan and this queue along. Needs `job`. */
  take?: string
}

/** A standing order as it was recorded when its plan was opened. */
export interface OrderRecord {
  /** Counts up within its deployment. */
  version: number
  plan: string
  /** Digest of the blob that it lies in, encrypted (`services/planner/planning/standing-orders.ts`). */
  blob: string
  at: number
  by: Actor | null
  message: string
}

export interface LedgerEvent {
  seq: number
  at: number
  type: string
  plan: string
  by?: Actor
  remodel?: string
  worker?: string
  attempt?: number
  fence?: number
  message?: string
  code?: string
  log?: string
  durationMs?: number
  facts?: Record<string, Json>
}

export interface PlanRecord {
  id: string
  deployment: string
  kind: string
  /** The action of its kind that asked for it; null where it was none. */
  action: string | null
  state: PlanState
  createdAt: number
  startedAt: number | null
  finishedAt: number | null
  counts: { total: number; done: number; failed: number; skipped: number; running: number }
  /** Root causes, the first hundred of them. */
  errors: { remodel: string; code: string; message: string; log?: string }[]
  /** How many more there were. */
  moreErrors: number
  /** Who applied it; null where it was not, or by a version that did not record it. */
  by: Actor | null
  /** Of a plan that is parked: what it waits for, and since when. */
  parked: { on: string; since: number } | null
  /**
   * Of a plan that is done: what the world looked like soon afterwards. Null before, and where the next plan came
   * first.
   */
  verdict: Verdict | null
}

export interface RemodelRecord {
  id: string
  state: RemodelState
  attempt: number
  /** The newest name that its jobs have: `jobId(plan, remodel, release)`. */
  release: number
  fence: number
  worker: string | null
  startedAt: number | null
  finishedAt: number | null
  /** What it waits for while it is `waiting`; null for an approval. */
  waitsFor: string | null
}

export interface LockRecord {
  id: string
  plan: string
  /** Who applied the plan; of a lock that is only waited for, who waits. */
  holder: Actor
  since: number
  message: string
}

export type OpenResult =
  | { status: 'ok' }
  | { status: 'state'; found: string }
  | { status: 'moved'; found: number }
  /** `looks`: the plan that has it was parked, and only looks whether it still waits; the lock is free in a moment. */
  | { status: 'locked'; lock: LockRecord; looks: boolean }
  /** It is a repair, and the deployment is not to be mended. */
  | { status: 'refused' }
  /** Other deployments hold names that the plan needs; at most ten of them are named. */
  | { status: 'claimed'; holders: Holder[] }

/** What is to be put on its queue. */
export interface Released {
  plan: string
  remodel: string
  queue: string
  release: number
  weight: number
  /** How many of its plan were on the queue when it was published. */
  ahead: number
}

/** What a step forward of a plan brought. */
export interface Advance {
  released: Released[]
  /** Another call would do more. */
  isMore: boolean
  /** Milliseconds until a released remodel may begin. */
  dueMs?: number
}
