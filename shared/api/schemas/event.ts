import { z } from 'zod'
import { Actor } from '../../model/actor.ts'
import { Json } from '../../model/material.ts'

/** One line of a deployment's history. `seq` has no gaps. */
export const Event = z.object({
  seq: z.int(),
  at: z.number(),
  type: z.enum([
    'plan.started',
    'plan.done',
    'plan.failed',
    'plan.cancelled',
    'plan.parked',
    'plan.cancelling',
    'remodel.started',
    'remodel.progress',
    'remodel.done',
    'remodel.failed',
    'remodel.retried',
    'remodel.waiting',
  ]),
  plan: z.string(),
  /** The actor whose request has brought the event about. */
  by: Actor.optional(),
  remodel: z.string().optional(),
  worker: z.string().optional(),
  attempt: z.int().optional(),
  fence: z.int().optional(),
  /** Phrase of a progress event, sentence of a failure. */
  message: z.string().optional(),
  code: z.string().optional(),
  log: z.string().optional(),
  durationMs: z.number().optional(),
  facts: z.record(z.string(), Json).optional(),
})
export type Event = z.infer<typeof Event>

/** Which events of a deployment are asked for. */
export type EventFilter = {
  plan?: string
  /** Code of the error that they are about. */
  code?: string
  /** Code of a reason for which their remodels are in their plans. */
  reason?: string
}
