import type { FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { RemodelError, toError } from '../../../shared/runtime/errors.ts'
import { readInput } from '../../../shared/source/input.ts'

/** Parts of a request, as people call them. */
const parts: Readonly<Record<string, string>> = {
  body: 'the body',
  querystring: 'the query',
  params: 'the path',
  headers: 'the headers',
}

/** Reads a part of a request by the schema of its route. Faults name the field and the allowed values, in our words. */
export function validatorCompiler({ schema, httpPart = '' }: { schema: z.ZodType; httpPart?: string }) {
  return (data: unknown) => {
    try {
      return { value: readInput(schema, data, `${parts[httpPart] ?? 'the request'} is not what this route takes`) }
    } catch (error) {
      return { error: toError(error) }
    }
  }
}

/** What Fastify refuses before any schema is asked. */
const refusals: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'the body is not JSON, though its content-type says so',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'the body is empty: send JSON, {} at least',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'the body is of a type that this route does not take: send application/json',
  FST_ERR_CTP_BODY_TOO_LARGE: 'the body is larger than this route takes',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'the body is not as long as its content-length says',
}

/** Undefined for any other error. */
export function refusalOf(error: unknown): RemodelError | undefined {
  const message = refusals[(error as { code?: string }).code ?? '']
  return message === undefined ? undefined : new RemodelError('invalid-input', message, { cause: error })
}

export function noSuchRoute({ method, url }: FastifyRequest): never {
  const [path = ''] = url.split('?')
  throw new RemodelError('not-found', `there is no route ${method} ${path}; /v1/openapi.json describes all there are`)
}
