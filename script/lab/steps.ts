import { stringify } from 'yaml'
import { z } from 'zod'

const options = z
  .strictObject({
    recreate: z.boolean(),
    remove: z.boolean(),
    'skip-drain': z.boolean(),
    'accept-loss': z.boolean(),
  })
  .partial()

/** Words that are a whole step. */
const Word = z.enum(['plan', 'carry-out', 'floorplan'])

const Order = z
  .strictObject({
    /** Draws a plan with options of a deploy. */
    plan: options,
    /** Ends after so many remodels, or before this one: as a plan that fails or is cancelled there would. */
    'carry-out': z.union([z.int().positive(), z.strictObject({ until: z.string() })]),
    /** Edits a document, the manifest where no name is given; the file stays as it is. */
    replace: z.strictObject({ in: z.string().optional(), from: z.string().min(1), to: z.string() }),
    /** What an inspector finds of a material, until a plan changes it: `instance/web/0: { health: failing }`. */
    find: z.record(z.string(), z.record(z.string(), z.json())),
    /** Writes the floorplan, for `remodel plan --floorplan`. */
    save: z.string(),
  })
  .partial()
  .superRefine((order, context) => {
    const [, second] = Object.keys(order)
    if (second === undefined) return
    context.addIssue({ code: 'custom', path: [second], message: 'a step does one thing: make this a step of its own' })
  })

/** What may be done in a lab: a step of a session, or a line that is typed. */
export const LabStep = z.union([Word, Order])
export type LabStep = z.infer<typeof LabStep>

export const Session = z.strictObject({
  /** The manifest first, then cloud configs; paths from the folder of the session. */
  documents: z.array(z.string()).min(1),
  steps: z.array(LabStep),
})

/** A step as it is typed. */
export function stepText(step: LabStep): string {
  if (typeof step === 'string') return step
  return Object.entries(step)
    .map(([name, given]) => `${name}: ${stringify(given, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd()}`)
    .join(', ')
}
