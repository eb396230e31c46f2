import { afterAll, beforeAll, expect, test } from 'vitest'
import { person } from '../../../support/actors.ts'
import { openApi, type TestApi, token } from '../../../support/api.ts'

let api: TestApi

beforeAll(async () => {
  api = await openApi('routes')
  const { planning, ...town } = api.town
  const plan = await planning.plan(town.order('web'))
  await planning.apply(plan.id, { by: person('test'), message: '', waitSeconds: 0 })
  await town.run('web', plan.id)
})

afterAll(() => api[Symbol.asyncDispose]())

async function ask(method: 'GET' | 'POST' | 'DELETE', path: string, payload?: object) {
  const headers = { authorization: `Bearer ${token}` }
  const answer = await api.server.inject({ method, url: path, headers, ...(payload && { payload }) })
  const { code, detail } = answer.json()
  return [answer.statusCode, code, detail]
}

const statements = { sql: 'SELECT 1' }

test('statements for a deployment of another kind are refused with its kind', async () => {
  expect(await ask('POST', '/v1/deployments/web/statements', statements)).toEqual([
    422,
    'invalid-input',
    'web is of kind deployment, which takes no statements',
  ])
})

test('statements for a deployment that does not exist are refused with the nearest name', async () => {
  expect(await ask('POST', '/v1/deployments/wev/statements', statements)).toEqual([
    404,
    'not-found',
    'there is no deployment wev; did you mean web?',
  ])
})

test('a deployment of another kind has nothing to compare, and its backups are not deleted while it stands', async () => {
  expect(await ask('GET', '/v1/deployments/web/comparison')).toEqual([
    404,
    'not-found',
    'web is no database that is deployed',
  ])
  expect((await ask('DELETE', '/v1/deployments/web/backups')).slice(0, 2)).toEqual([409, 'conflict'])
})
