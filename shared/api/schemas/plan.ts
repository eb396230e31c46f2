import { z } from 'zod'
import { Actor } from '../../model/actor.ts'
import { Order } from '../../model/order.ts'
import { Plan, PlanState, RemodelState } from '../../model/plan.ts'
import { Verdict } from '../../model/verdict.ts'
import { Compiling } from './compiling.ts'

export const PlanRequest = Order
export type PlanRequest = z.input<typeof PlanRequest>

/** Facts of a plan that change while it runs. */
export const PlanStatus = z.object({
  id: z.string(),
  deployment: z.string(),
  kind: z.string(),
  /** The action of its kind that asked for it; null where it was none. */
  action: z.string().nullable().default(null),
  state: PlanState,
  createdAt: z.number(),
  startedAt: z.number().nullable(),
  finishedAt: z.number().nullable(),
  counts: z.object({ total: z.int(), done: z.int(), failed: z.int(), skipped: z.int(), running: z.int() }),
  /** The root causes, each once, with the last lines of the failing log. */
  errors: z.array(z.object({ remodel: z.string(), code: z.string(), message: z.string(), log: z.string().optional() })),
  /** Root causes beyond the first hundred. */
  moreErrors: z.number().default(0),
  /** The actor that applied it; null where it was not, or by a version that did not record it. */
  by: Actor.nullable().default(null),
  /** Of a plan that is parked: what it waits for, and since when. */
  parked: z.object({ on: z.string(), since: z.number() }).nullable().default(null),
  /**
   * Of a plan that is done: what the world looked like soon afterwards. Null before, and where the next plan came
   * first.
   */
  verdict: Verdict.nullable().default(null),
})
export type PlanStatus = z.infer<typeof PlanStatus>

/** What a remodel waits for; empty where it runs or is settled. `parked`: what all of its plan waits for. */
export const Why = z.object({
  remodel: z.string(),
  state: RemodelState,
  waitsFor: z.array(z.string()),
  parked: PlanStatus.shape.parked,
})
export type Why = z.infer<typeof Why>

export const RemodelStatus = z.object({
  id: z.string(),
  state: RemodelState,
  attempt: z.int(),
  /** The number of its newest job on its queue. */
  release: z.int().default(1),
  fence: z.int(),
  worker: z.string().nullable(),
  startedAt: z.number().nullable(),
  finishedAt: z.number().nullable(),
  /** What it waits for while it is `waiting`; null for an approval. */
  waitsFor: z.string().nullable().default(null),
})
export type RemodelStatus = z.infer<typeof RemodelStatus>

export const PlanView = z.object({
  plan: Plan,
  status: PlanStatus,
  remodels: z.array(RemodelStatus),
  /** Null where the plan needs no packages, or is over. */
  compiling: Compiling.nullable().default(null),
})
export type PlanView = z.infer<typeof PlanView>

/**
 * Names one request of a caller: sent again with the same id, because its answer was lost, it is answered as it was.
 */
export const RequestId = z.string().regex(/^[\w-]{1,100}$/, 'must be 1 to 100 letters, digits, dashes and underscores')

export const ApplyRequest = z.strictObject({
  id: RequestId.optional(),
  /** Why, for the lock: shown with a request that is refused. */
  message: z.string().default(''),
  /** Wait this long for the deployment's lock instead of being refused at once. */
  waitSeconds: z.number().nonnegative().default(0),
})
export type ApplyRequest = z.input<typeof ApplyRequest>
