import { type ErrorCode, type Fault, RemodelError } from '../runtime/errors.ts'
import { type Address, withoutPassword } from './address.ts'
import { Problem } from './schemas/problem.ts'

const codes: Record<ErrorCode, true> = {
  'invalid-input': true,
  'not-found': true,
  conflict: true,
  locked: true,
  'floorplan-moved': true,
  claimed: true,
  superseded: true,
  infrastructure: true,
  'job-failed': true,
  cancelled: true,
  deadline: true,
  unauthenticated: true,
  forbidden: true,
  unavailable: true,
  unsupported: true,
}

/** The error that a refusal of the planner tells of: its own where it is a problem document, else one by its status. */
export function problemError(address: Address, status: number, body: string): RemodelError {
  const parsed = Problem.safeParse(tryJson(body))
  if (!parsed.success) return withoutReason(address, status)
  const { detail, title, faults, details } = parsed.data
  const code = isErrorCode(parsed.data.code) ? parsed.data.code : byStatus(status)
  return new RemodelError(code, detail || title, { faults: faults as Fault[], details: { ...details, status } })
}

/**
 * A planner that is up and yet unavailable has most likely lost its Redis: the sentence names it,
 * as far as it is known.
 */
function withoutReason(address: Address, status: number): RemodelError {
  const redis = status === 503 && address.redis ? `; its Redis is ${withoutPassword(address.redis)}` : ''
  const message = `${withoutPassword(address.url)} answered with status ${status} and no reason${redis}`
  return new RemodelError(byStatus(status), message, { details: { status } })
}

function byStatus(status: number): ErrorCode {
  if (status === 401) return 'unauthenticated'
  if (status === 403) return 'forbidden'
  if (status === 404) return 'not-found'
  if (status === 409) return 'conflict'
  if (status === 400 || status === 422) return 'invalid-input'
  if (status === 502 || status === 503 || status === 504) return 'unavailable'
  return 'infrastructure'
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(codes, code)
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
