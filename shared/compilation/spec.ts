import { z } from 'zod'

/**
 * What is to be compiled: of a kind's step, of a request, and of the machine that is made for it. Digests name blobs.
 */
export const CompileSpec = z.object({
  key: z.string(),
  name: z.string(),
  fingerprint: z.string(),
  source: z.string(),
  /** Direct dependencies only: a transitive one is not on disk, as in BOSH's agent. */
  dependencies: z.array(z.object({ name: z.string(), key: z.string() })),
  stemcell: z.object({ name: z.string(), os: z.string(), version: z.string(), digest: z.string().optional() }),
  resources: z.object({
    cpus: z.number().optional(),
    memoryMiB: z.number().optional(),
    diskMiB: z.number().optional(),
  }),
  reuse: z.boolean(),
  /** Absent: no network but a loopback of its own. */
  network: z.literal('host').optional(),
  /** A new VM does not wait for room that others take on their way out. */
  orphan: z.literal(true).optional(),
})
export type CompileSpec = z.infer<typeof CompileSpec>
