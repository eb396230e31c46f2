import { z } from 'zod'

/** A file as the user has it: its text travels, so that faults can name its lines. */
const SourceFile = z.strictObject({ name: z.string(), content: z.string() })

/** A request for a plan: over HTTP as it is, as a job of the `deploys` queue with the caller's name and message. */
export const Order = z.strictObject({
  manifest: SourceFile,
  /** Cloud configs given with this plan; without one, the uploaded ones are used. */
  cloudConfigs: z.array(SourceFile).default([]),
  /** What `version: create` and `latest` mean in this manifest: the releases uploaded for it. */
  releases: z.array(z.strictObject({ name: z.string(), version: z.string() })).default([]),
  options: z
    .strictObject({
      recreate: z.boolean().default(false),
      skipDrain: z.boolean().default(false),
      acceptLoss: z.boolean().optional(),
      /** It is to begin in this time, in milliseconds since the epoch. */
      notBefore: z.int().nonnegative().optional(),
      notAfter: z.int().positive().optional(),
      canaries: z.int().nonnegative().optional(),
      maxInFlight: z.string().optional(),
    })
    .refine(({ notBefore = 0, notAfter = Number.POSITIVE_INFINITY }) => notBefore < notAfter, {
      path: ['notAfter'],
      message: 'must come after notBefore',
    })
    .default({ recreate: false, skipDrain: false }),
})
