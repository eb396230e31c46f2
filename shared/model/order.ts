import { z } from 'zod'

/** A file as the user has it: its text travels, so that faults can name its lines. */
export const SourceFile = z.strictObject({ name: z.string(), content: z.string() })

/** What the plans of every kind can be asked for. */
export const sharedOptions = {
  recreate: z.boolean().default(false),
  skipDrain: z.boolean().default(false),
  acceptLoss: z.boolean().optional(),
  /** It is to begin in this time, in milliseconds since the epoch. */
  notBefore: z.int().nonnegative().optional(),
  notAfter: z.int().positive().optional(),
}

/** What an option of a kind may be: one that can be written on a command line. */
const OptionValue = z.union([z.string(), z.number(), z.boolean()])

/** A request for a plan: over HTTP, and as a job of the `deploys` queue with the caller's name and message. */
export const Order = z.strictObject({
  manifest: SourceFile,
  /** Cloud configs given with this plan; without one, the uploaded ones are used. */
  cloudConfigs: z.array(SourceFile).default([]),
  /** What `version: create` and `latest` mean in this manifest: the releases uploaded for it. */
  releases: z.array(z.strictObject({ name: z.string(), version: z.string() })).default([]),
  /** Further options are the kind's (`Kind.options`): a planner refuses those that the kind does not have. */
  options: beginsInTime(z.object(sharedOptions).catchall(OptionValue)),
})

export type OrderOptions = z.output<typeof Order>['options']

/** The same, where the options of all kinds are known: what a planner takes over HTTP. */
export function orderWith(ofKinds: z.ZodRawShape): z.ZodType<z.output<typeof Order>> {
  return Order.extend({ options: optionsWith(ofKinds) }) as never
}

/** The options alone. */
export function optionsWith(ofKinds: z.ZodRawShape): z.ZodType<OrderOptions> {
  return beginsInTime(z.strictObject({ ...sharedOptions, ...ofKinds })) as never
}

function beginsInTime<Options extends z.ZodObject>(options: Options) {
  return options
    .refine(({ notBefore = 0, notAfter = Number.POSITIVE_INFINITY }) => Number(notBefore) < Number(notAfter), {
      path: ['notAfter'],
      message: 'must come after notBefore',
    })
    .prefault({} as z.input<Options>)
}
