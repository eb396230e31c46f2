/**
 * One class for everything Remodel refuses or fails at.
 *
 * `code` is stable and safe to branch on; `message` is one sentence for people; `faults` point into files the user
 * wrote. Never branch on the text of a message.
 */
export class RemodelError extends Error {
  readonly code: ErrorCode
  /** Places in the user's own files, all faults of a file at once. */
  readonly faults: readonly Fault[]
  /** Facts for machines and for the log: never a secret. */
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    code: ErrorCode,
    message: string,
    more: { faults?: readonly Fault[]; details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause })
    this.name = 'RemodelError'
    this.code = code
    this.faults = more.faults ?? []
    this.details = more.details ?? {}
  }
}

/**
 * Stable error codes.
 *
 * - `invalid-input`: a file or an argument is wrong; nothing was changed. CLI exit 2, HTTP 422.
 * - `not-found`, `conflict`, `locked`, `floorplan-moved`: the request does not fit what is recorded. HTTP 404, 409.
 * - `claimed`: another deployment holds an exclusive name that the plan needs; a plan that is drawn now
 *   names others. HTTP 409.
 * - `superseded`: a newer fence or attempt took over; the caller must stop and change nothing more.
 * - `infrastructure`: a machine, disk or network failed; another attempt may succeed.
 * - `job-failed`: the user's own script or process failed; another attempt would fail the same way.
 * - `cancelled`, `deadline`: the work was stopped on request, or ran out of its time.
 * - `unauthenticated`, `forbidden`: the planner does not know the caller, or a browser asks for a page of
 *   elsewhere. HTTP 401, 403.
 * - `unavailable`: Redis or the planner cannot be reached. HTTP 503.
 * - `unsupported`: this machine lacks something; the message says exactly what.
 */
export type ErrorCode =
  | 'invalid-input'
  | 'not-found'
  | 'conflict'
  | 'locked'
  | 'floorplan-moved'
  | 'claimed'
  | 'superseded'
  | 'infrastructure'
  | 'job-failed'
  | 'cancelled'
  | 'deadline'
  | 'unauthenticated'
  | 'forbidden'
  | 'unavailable'
  | 'unsupported'

/** One wrong place in a file of the user's. */
export interface Fault {
  /** Name of the file as the user gave it. */
  file?: string
  /** 1-based. */
  line?: number
  /** 1-based. */
  column?: number
  /** Dotted path with indexes: `instance_groups[0].jobs[1].release`. */
  path?: string
  /** What is wrong, one sentence without a full stop. */
  message: string
  /** The value found there, as text; never a secret. */
  found?: string
  /** What may stand there. */
  allowed?: string
  /** The nearest valid name, where a name is wrong. */
  suggestion?: string
}

/** Turns anything thrown into an Error, so that a catch block can rely on `message` and `stack`. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

/** True where another attempt of the same work may succeed. */
export function isRetryable(error: unknown): boolean {
  return !(error instanceof RemodelError) || ['infrastructure', 'unavailable', 'deadline'].includes(error.code)
}

/** A fault as one line for people: `web.yml:12: instance_groups[0].jobs[1].release: ...`. */
export function describeFault(fault: Fault): string {
  const place = [fault.file, fault.line].filter((part) => part !== undefined).join(':')
  const head = [place, fault.path].filter(Boolean).join(': ')
  const tail = [
    // A value that the sentence quotes need not be repeated.
    fault.found === undefined || fault.message.includes(`"${fault.found}"`) ? '' : `found ${fault.found}`,
    fault.allowed === undefined || fault.message.endsWith(`must be ${fault.allowed}`)
      ? ''
      : `allowed: ${fault.allowed}`,
    fault.suggestion === undefined ? '' : `did you mean ${fault.suggestion}?`,
  ].filter(Boolean)
  return `${head}${head ? ': ' : ''}${fault.message}${tail.length ? ` (${tail.join('; ')})` : ''}`
}
