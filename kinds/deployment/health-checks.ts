import { z } from 'zod'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { SourceDocument } from '../../shared/source/document.ts'

const common = {
  /** Seconds that one try may take. */
  timeout: z.number().positive().max(3600).exactOptional(),
}
const reached = {
  port: z.int().min(1).max(65_535),
  /** Absent: the first address of the instance. */
  address: z
    .string()
    .regex(/^[A-Za-z0-9._:-]+$/, 'is neither an address nor a host name')
    .exactOptional(),
}

/** How a job is seen to do its work, beyond its processes being up. */
export const HealthCheck = z.discriminatedUnion('type', [
  /** Something takes connections. */
  z.strictObject({ type: z.literal('tcp'), ...reached, ...common }),
  /** A GET is answered with `status`; absent: with 200 to 399. */
  z.strictObject({
    type: z.literal('http'),
    ...reached,
    path: z
      .string()
      .regex(/^\/[!-~]*$/, 'begins with a slash and has no spaces')
      .default('/'),
    status: z.int().min(100).max(599).exactOptional(),
    ...common,
  }),
  /** A shell's command line, run on the machine, ends with 0. */
  z.strictObject({ type: z.literal('command'), command: z.string().min(1), ...common }),
])
export type HealthCheck = z.infer<typeof HealthCheck>

/** Where a job's own checks are, below its directory: rendered from a template as any of its files. */
export const healthChecksFile = 'health_checks.yml'

/** Reads a job's own checks. Throws `invalid-input`. */
export function readHealthChecks(text: string): HealthCheck[] {
  return new SourceDocument(healthChecksFile, text).parse(z.array(HealthCheck))
}

/** The first thing that is wrong in a job's own checks. */
export function healthChecksFault(text: string): { line: number; message: string } | null {
  try {
    readHealthChecks(text)
    return null
  } catch (error) {
    if (!(error instanceof RemodelError) || error.code !== 'invalid-input') throw error
    const [fault] = error.faults
    return { line: fault?.line ?? 1, message: [fault?.path, fault?.message].filter(Boolean).join(': ') }
  }
}
