import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Problem } from '../../../shared/api/schemas/problem.ts'
import { type ErrorCode, RemodelError, toError } from '../../../shared/runtime/errors.ts'
import { refusalOf } from './validation.ts'

const statuses: Record<ErrorCode, number> = {
  'invalid-input': 422,
  'not-found': 404,
  conflict: 409,
  locked: 409,
  'floorplan-moved': 409,
  claimed: 409,
  superseded: 409,
  infrastructure: 502,
  'job-failed': 502,
  cancelled: 409,
  deadline: 504,
  unauthenticated: 401,
  forbidden: 403,
  unavailable: 503,
  unsupported: 501,
}

/** An error as problem+json (RFC 9457): a stable code, the sentence for people, the faults with their places. */
export function problemOf(error: RemodelError): Problem {
  return {
    type: `urn:remodel:${error.code}`,
    title: error.code.replaceAll('-', ' '),
    status: statuses[error.code],
    code: error.code,
    detail: error.message,
    faults: error.faults.map((fault) => ({ ...fault })),
    details: { ...error.details },
  }
}

export function errorHandler(redisAddress: string) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const problem = problemOf(asRemodelError(error, redisAddress))
    if (problem.status >= 500) request.log.error({ err: toError(error) }, 'request failed')
    if (problem.status === 503) reply.header('retry-after', '1')
    return reply.status(problem.status).type('application/problem+json').send(problem)
  }
}

function asRemodelError(thrown: unknown, redisAddress: string): RemodelError {
  if (thrown instanceof RemodelError) return thrown
  const error = toError(thrown)
  const refusal = refusalOf(thrown)
  if (refusal) return refusal
  if (isRedisAway(error))
    return new RemodelError('unavailable', `Redis at ${redisAddress} cannot be reached`, { cause: error })
  const status = (thrown as { statusCode?: number }).statusCode ?? 500
  return new RemodelError(
    status === 404 ? 'not-found' : status < 500 ? 'invalid-input' : 'infrastructure',
    error.message,
    { cause: error },
  )
}

/** ioredis has no error codes of its own for these; the classes' names and the system's codes are its interface. */
function isRedisAway(error: Error): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return (
    error.name === 'MaxRetriesPerRequestError' ||
    code === 'ECONNREFUSED' ||
    code === 'ECONNRESET' ||
    error.message === 'Connection is closed.' ||
    error.message.startsWith("Stream isn't writeable")
  )
}
