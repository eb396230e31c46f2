import { z } from 'zod'
import { Actor } from './actor.ts'

/**
 * What is done where something of a deployment is lost between deploys: `off`: nothing; `propose`: a plan that brings
 * it back is stored, and a person applies it; `apply`: it is carried out.
 */
export const HealingMode = z.enum(['off', 'propose', 'apply'])
export type HealingMode = z.infer<typeof HealingMode>

/** A plan that was opened because something was lost. */
export const Repair = z.object({
  plan: z.string(),
  /** Milliseconds since the epoch, by Redis' clock. */
  at: z.number(),
  /** Ids of the materials that were lost. */
  subjects: z.array(z.string()),
})
export type Repair = z.infer<typeof Repair>

/** Whether a deployment is mended, since whose word, and what was mended. */
export const Healing = z.object({
  mode: HealingMode,
  /** The actor that has said so, and when; null where no one has: it is off. */
  by: Actor.nullable(),
  at: z.number().nullable(),
  message: z.string(),
  /**
   * Why what is lost is not mended now, and when that is looked at again, in milliseconds since the epoch: null where a
   * person has to go on. Null: nothing is kept back.
   */
  waits: z.object({ why: z.string(), again: z.number().nullable() }).nullable(),
  /** The last fifty, the newest first. */
  repairs: z.array(Repair),
})
export type Healing = z.infer<typeof Healing>

/** Something of a deployment that does not run any more, and that the plan of a repair makes anew. */
export interface Loss {
  /** Id of the material. */
  readonly subject: string
  readonly machine: string
  /**
   * `gone`: its provider says that it does not exist or has ended; `silent`: it does not answer, which may also be said
   * of one that is well.
   */
  readonly is: 'gone' | 'silent'
}

/** What an assembler has noticed of a machine: a reason to look, never more. */
export const Alarm = z.object({
  deployment: z.string(),
  machine: z.string(),
  is: z.enum(['gone', 'silent']),
})
export type Alarm = z.infer<typeof Alarm>
