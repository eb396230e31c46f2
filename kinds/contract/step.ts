import type { Logger } from 'pino'
import type { z } from 'zod'
import type { Blobstore } from '../../shared/blobstore/blobstore.ts'
import type { CompiledIndex } from '../../shared/compilation/compiled.ts'
import type { ActualMaterial, Attributes } from '../../shared/model/material.ts'
import type { Fence, Provider } from '../../shared/provider/provider.ts'
import type { Secrets } from '../../shared/runtime/secrets.ts'
import type { Stores } from './stores.ts'

/** What a step may use. Everything that changes the world takes `fence`. */
export interface StepContext {
  provider: Provider
  blobs: Blobstore
  compiled: CompiledIndex
  /** Where its kind keeps what outlives plans. */
  stores: Stores
  /** What services agree on and no plan says. */
  secrets: Secrets
  /** The plan that the remodel is of: it distinguishes the work of an earlier attempt from that of another plan. */
  plan: string
  /** Id of the material the remodel changes. */
  material: string
  /** What the floorplan says of a material now; null where there is none. */
  actual(id: string): Promise<ActualMaterial | null>
  fence: Fence
  /**
   * Aborted when the attempt was superseded, cancelled, or ran out of time; behind the point of no
   * return only when superseded.
   */
  signal: AbortSignal
  /**
   * From here cancel and deadline are not delivered: only a crash ends the attempt, and then another one goes on, also
   * where the plan is cancelled or failing. Before it a step that fails or is stopped undoes by itself what it has
   * begun. Throws where the plan is cancelled, the time is up or the attempt superseded already: then nothing may be
   * done that cannot be undone.
   */
  pointOfNoReturn(): Promise<void>
  log: Logger
  /** One short phrase about what is being done now, shown in the live progress: `executing drain`. */
  say(what: string): void
}

/** The changes of a finished step in the floorplan: material id -> the material now, or null where it is gone. */
export interface StepResult {
  floorplan: Record<string, Omit<ActualMaterial, 'id'> | null>
  /** Facts for the event, e.g. `{ bytes: 1234 }`. Never a secret. */
  facts?: Attributes
}

/**
 * Not yet: the step has done what it can for now. The attempt ends, and another one looks again. Until then no
 * worker has the remodel in hand, and none of its attempts is used; the deadline of the whole wait is the one of
 * the attempt that began to wait. The next attempt, or the one after a worker's death, goes on waiting: what was
 * begun is not begun again.
 *
 * A look that answers the same wait has changed nothing that a plan could be drawn on: others may change the deployment
 * between two looks of a long one (`shared/ledger/lua/park.lua`), and where they do there is no further look.
 */
export interface Wait {
  /**
   * What it waits for, as a noun phrase that stays the same as long as it waits for that: `n2 having what n1 wrote`.
   */
  for: string
  afterMs: number
}

/**
 * One remodel type, in three parts. A step may be begun any number of times, on any worker, after any crash:
 * - `look` says whether it is done already (then that is the result);
 * - `apply` does it, or a part of it, and says what it waits for before it can go on;
 * - `verify` proves it, and gives the result. It throws where the world is not as it should be.
 */
export interface Step<Schema extends z.ZodType = z.ZodType> {
  /**
   * In a version, where it has changed (`shared/model/input-version.ts`). A worker leaves a remodel of a later one
   * than its own to others.
   */
  input: Schema
  look(context: StepContext, input: z.infer<Schema>): Promise<StepResult | null>
  // biome-ignore lint/suspicious/noConfusingVoidType: most steps end without a value
  apply(context: StepContext, input: z.infer<Schema>): Promise<Wait | void>
  verify(context: StepContext, input: z.infer<Schema>): Promise<StepResult>
}

/** Keeps the input's type when a step is written as an object literal. */
export function defineStep<Schema extends z.ZodType>(step: Step<Schema>): Step<Schema> {
  return step
}
