import { afterAll, beforeAll, expect, test } from 'vitest'
import { openApi, type TestApi } from '../support/api.ts'
import { httpPage } from './http-page.ts'

type Paths = Record<string, Record<string, { description?: string }>>

let api: TestApi

beforeAll(async () => {
  api = await openApi('openapi')
  await api.server.ready()
})

afterAll(() => api[Symbol.asyncDispose]())

const described = () => api.server.swagger() as unknown as { info: object; paths: Paths }
/** By address: a route whose source moves stays where it is. */
const routes = (): Paths => Object.fromEntries(Object.entries(described().paths).sort(([a], [b]) => (a < b ? -1 : 1)))

/**
 * Written anew by `vitest run test/api/openapi.test.ts --update`: what changes for those who call the API is
 * read in its difference.
 */
test('the API is as shared/api/openapi.json describes it', async () => {
  const { info, ...rest } = described()
  expect(info).toMatchObject({ title: 'Remodel' })
  const text = `${JSON.stringify({ ...rest, paths: routes() }, null, 1)}\n`
  await expect(text).toMatchFileSnapshot('../../shared/api/openapi.json')
})

test('docs/use/http-api.md has every route', async () => {
  await expect(httpPage(routes())).toMatchFileSnapshot('../../docs/use/http-api.md')
})

test('every route says what it does', () => {
  const paths = routes()
  const silent = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { description }]) => (description ? [] : [`${method} ${path}`])),
  )
  expect(Object.keys(paths).length).toBeGreaterThan(30)
  expect(silent).toEqual([])
})
