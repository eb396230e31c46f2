import { z } from 'zod'
import { Json } from './material.ts'
import { StoredReason } from './reason.ts'
import { Reservation } from './reservation.ts'

/** One changed field. A side that did not exist is left out. */
export const Change = z.object({ path: z.string(), before: Json.optional(), after: Json.optional() })
export type Change = z.infer<typeof Change>

/**
 * When a remodel may start, seen from failures elsewhere in its plan:
 * - `healthy`: what it needs is done and nothing in the plan has failed (the default);
 * - `independent`: what it needs is done; a failure elsewhere does not stop it (compiling);
 * - `always`: what it needs is settled, done or not (cleanup).
 */
export const When = z.enum(['healthy', 'independent', 'always'])
export type When = z.infer<typeof When>

/** What a remodel does to its material, as people see it: + ~ ± - and the two that change nothing by themselves. */
export const Action = z.enum(['create', 'update', 'replace', 'delete', 'compile', 'run', 'barrier', 'approve', 'gate'])
export type Action = z.infer<typeof Action>

/**
 * One action that changes the floorplan.
 *
 * A `barrier` has no queue and no worker: the ledger completes it as soon as what it needs is done, which keeps "all of
 * these before all of those" at n + m edges. An `approve` waits for a person until its deadline, a `gate` for a moment.
 */
export const Remodel = z.object({
  /** Unique in its plan, stable for the same change: `start-instance web/0`. */
  id: z.string().min(1),
  /** Which assembler step carries it out: the file name under `kinds/<kind>/steps/`. */
  step: z.string().min(1),
  action: Action,
  /** The material it changes: the scope of its fence. */
  material: z.string(),
  /** One line for people: `start instance web/0`. */
  title: z.string(),
  /** The parts of the title: what is done, and to what, as people name it. Absent where it has no such parts. */
  verb: z.string().optional(),
  subject: z.string().optional(),
  /** Group of remodels for people: `Updating instance web`. */
  stage: z.string(),
  /** Which queue carries it; null for barriers, approvals and gates. */
  queue: z.string().nullable(),
  needs: z.array(z.string()),
  /** The permit it needs: all remodels that name it share it. */
  permit: z.string().optional(),
  when: When.default('healthy'),
  /** Why: `{ code: 'stemcell-changed', before: '1.2', after: '1.3' }`. */
  reasons: z.array(StoredReason),
  changes: z.array(Change),
  /** A part of what others of the plan do, which means nothing to people by itself: shown where all is asked for. */
  detail: z.boolean().optional(),
  /** Data is lost when it is done. */
  destructive: z.boolean().default(false),
  /** What the step is given. Ids and digests only, never a secret. */
  input: Json,
  /** Version of the step's input, where it is not the first: a worker that knows an older one leaves it to others. */
  version: z.int().positive().optional(),
  /** Seconds one attempt may take, and all of a wait; the absolute time is fixed when a worker claims it. */
  deadlineSeconds: z.number().positive(),
  /** Of a gate: when it opens, in milliseconds since the epoch, and when at the latest; one that is too late fails. */
  opens: z.int().nonnegative().optional(),
  closes: z.int().positive().optional(),
  /** How often it may be begun, worker losses included, before it is blamed. */
  attempts: z.int().positive(),
  /** Larger goes first among ready work of one queue (longest remaining path, in milliseconds). */
  weight: z.number().nonnegative().default(0),
})
export type Remodel = z.infer<typeof Remodel>

/**
 * At most `limit` permits of a window are held at once; one that is given back is given away at once, in plan order.
 */
export const Window = z.object({ name: z.string(), limit: z.int().positive() })
export type Window = z.infer<typeof Window>

/**
 * What a remodel takes in one or more windows before it starts: held from the first start to the last end of the
 * remodels that name it.
 */
export const Permit = z.object({ name: z.string(), windows: z.array(z.string()).min(1) })
export type Permit = z.infer<typeof Permit>

/** The format of plans that this Remodel draws and carries out. A worker leaves a later one to others. */
export const planFormat = 1

/** Every remodel needed, with precedence, windows and gates. Immutable once written; `docs/use/plan-format.md`. */
export const Plan = z.object({
  format: z.literal(planFormat),
  /** `p` and the first 12 hex digits of `digest`; with `-2`, `-3` ... where an equal plan was carried out before. */
  id: z.string(),
  deployment: z.string(),
  kind: z.string(),
  /** The action of its kind that asks for it. Absent: a deploy, a rollback, a repair or a removal does. */
  action: z.string().exactOptional(),
  /** The floorplan it was drawn against; applying is refused where the floorplan has another version. */
  floorplan: z.object({ version: z.int().nonnegative(), digest: z.string() }),
  /** Digest of the blueprint it leads to. */
  blueprint: z.string(),
  remodels: z.array(Remodel),
  permits: z.array(Permit),
  windows: z.array(Window),
  /**
   * Exclusive names it needs beside those that the deployment holds; applying is refused where another one has them.
   */
  reservations: z.array(Reservation).optional(),
  /** What the plan means for clients, shown first: `n1-a restarts once, no writes on n1 for about 1 s`. */
  consequences: z.array(z.string()).optional(),
  /** Things the reader should know that are not changes: an unreachable machine, an ignored instance. */
  notes: z.array(z.string()),
  /** sha256 over the canonical JSON of everything above except `id`. */
  digest: z.string(),
})
export type Plan = z.infer<typeof Plan>

/**
 * The state of a plan. `stored` plans wait for `apply`; `parked` ones are open and only wait, without the deployment's
 * lock; the last three are final.
 */
export const PlanState = z.enum(['stored', 'running', 'parked', 'failing', 'cancelling', 'done', 'failed', 'cancelled'])
export type PlanState = z.infer<typeof PlanState>

/** The state of a remodel of an applied plan. */
export const RemodelState = z.enum(['blocked', 'queued', 'released', 'running', 'waiting', 'done', 'failed', 'skipped'])
export type RemodelState = z.infer<typeof RemodelState>

/** A remodel as it was stored; the version before called its permit a place. */
export function storedRemodel<Stored extends { permit?: string | undefined }>(
  stored: Stored & { place?: string },
): Stored {
  if (stored.place === undefined) return stored
  const { place, ...remodel } = stored
  return { ...(remodel as unknown as Stored), permit: place }
}
