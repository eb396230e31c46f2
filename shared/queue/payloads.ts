import { z } from 'zod'
import { Actor } from '../model/actor.ts'
import { Order } from '../model/order.ts'

/** What a producer says of itself. */
const Asker = z.strictObject({ kind: z.enum(['person', 'service']), name: Actor.shape.name })

/**
 * Every queue and what its jobs carry. Remodel's own jobs carry ids only, never a spec or a secret; a `deploys` job
 * carries the manifest as its producer wrote it, which every viewer of the board sees. A job that does not fit is
 * refused by its worker with the path of the fault; nothing of it is carried out.
 */
export const payloads = {
  /** Ask for a deploy: plan and apply. Producers outside Remodel use this one. */
  deploys: Order.extend({
    by: Asker.default({ kind: 'service', name: 'unnamed' }),
    message: z.string().default(''),
    /** The name alone, as programs and jobs of the version before have it. */
    holder: z.string().optional(),
  }),
  /** One package key, and the plan that asked for it first; the compile record has the rest. */
  compile: z.strictObject({ key: z.string(), deployment: z.string().optional(), plan: z.string().optional() }),
  /** One package of a check that is compiled a second time; the check has the rest. */
  rebuild: z.strictObject({ check: z.string(), n: z.int().nonnegative() }),
  /** One remodel of one plan; the ledger has the rest. */
  assemble: z.strictObject({ deployment: z.string(), plan: z.string(), remodel: z.string(), release: z.int() }),
} as const

export type QueueName = keyof typeof payloads
export type Payload<Name extends QueueName> = z.output<(typeof payloads)[Name]>

/** Who asks by a job of `deploys`. */
export function askerOf({ by, holder }: Pick<Payload<'deploys'>, 'by' | 'holder'>): Actor {
  return holder === undefined ? { ...by, via: 'queue' } : { kind: 'service', name: holder || 'unnamed', via: 'queue' }
}

/** What the ledger knows a job by: a remodel may be released, and so published, more than once. */
export function jobName(remodel: string, release: number): string {
  return `${remodel} #${release}`
}

/** How a job is called on Bull Board: whose it is, and what it does. */
export function boardName(deployment: string, what: string): string {
  return `${deployment}: ${what}`
}

/**
 * One job id for each list of parts, and for no other: BullMQ allows no colon, because its keys are joined with it, and
 * the parts are joined with a dot.
 */
export function jobId(...parts: (string | number)[]): string {
  return parts.map((part) => String(part).replace(/[_:.]/g, (letter) => escapes[letter]!)).join('.')
}

const escapes: Record<string, string> = { _: '__', ':': '_c', '.': '_d' }
