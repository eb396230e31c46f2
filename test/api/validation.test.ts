import Fastify, { type InjectOptions } from 'fastify'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'
import { errorHandler } from '../../services/planner/http/problem.ts'
import { noSuchRoute, validatorCompiler } from '../../services/planner/http/validation.ts'
import { orderWith } from '../../shared/model/order.ts'

/** What a caller reads whose request does not fit a route. */

const server = Fastify()
server.setValidatorCompiler(validatorCompiler as never)
server.setErrorHandler(errorHandler('127.0.0.1:1'))
server.setNotFoundHandler(noSuchRoute)
server.post('/v1/plans', { schema: { body: orderWith({}) } }, async () => 'planned')
server.get('/v1/events', { schema: { querystring: z.object({ after: z.coerce.number() }) } }, async () => 'events')
server.get(
  '/v1/configs/:type',
  { schema: { params: z.object({ type: z.enum(['cloud', 'runtime']) }) } },
  async () => '',
)
afterAll(() => server.close())

async function refused(asked: InjectOptions) {
  const answer = await server.inject(asked)
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  expect(answer.body).not.toMatch(/expected|received|must match pattern|Invalid /)
  return answer.json()
}
const post = (payload: string | object, type = 'application/json'): InjectOptions => ({
  ...{ method: 'POST', url: '/v1/plans', headers: { 'content-type': type } },
  payload,
})

test('every field that is wrong is named, with what it must be and what was found', async () => {
  expect(await refused(post({}))).toMatchObject({
    code: 'invalid-input',
    detail: 'the body is not what this route takes',
    faults: [{ path: 'manifest', message: 'is missing', allowed: 'a map' }],
  })
  const manifest = { name: 'a.yml', content: 5 }
  expect((await refused(post({ manifest, options: { recreat: true } }))).faults).toEqual([
    { path: 'manifest.content', message: 'must be a text', found: '5', allowed: 'a text' },
    expect.objectContaining({ path: 'options.recreat', suggestion: 'recreate' }),
  ])
  expect(await refused({ url: '/v1/events?after=x' })).toMatchObject({
    detail: 'the query is not what this route takes',
    faults: [{ path: 'after', message: 'must be a number' }],
  })
  expect(await refused({ url: '/v1/configs/clod' })).toMatchObject({
    detail: 'the path is not what this route takes',
    faults: [
      { path: 'type', message: 'is none of the allowed values', allowed: 'cloud, runtime', suggestion: 'cloud' },
    ],
  })
})

test('a body that is no JSON, or none, and a route that is not there are refused in words of their own', async () => {
  expect(await refused(post('{"manifest":'))).toMatchObject({
    code: 'invalid-input',
    detail: expect.stringContaining('not JSON'),
  })
  expect(await refused(post(''))).toMatchObject({ detail: expect.stringContaining('the body is empty') })
  expect(await refused(post('<a/>', 'text/xml'))).toMatchObject({ detail: expect.stringContaining('application/json') })
  expect(await refused({ url: '/v1/nope?x=1' })).toMatchObject({
    status: 404,
    code: 'not-found',
    detail: 'there is no route GET /v1/nope; /v1/openapi.json describes all there are',
  })
})
