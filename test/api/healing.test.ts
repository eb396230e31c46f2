import { afterAll, beforeAll, expect, test } from 'vitest'
import { sealPlan } from '../../services/planner/planning/seal.ts'
import { openApi, type TestApi, token } from '../support/api.ts'
import { remodel } from '../support/plans.ts'

let api: TestApi

beforeAll(async () => {
  api = await openApi('healing')
})

afterAll(() => api[Symbol.asyncDispose]())

const ask = (deployment: string, body?: object) =>
  api.server.inject({
    method: body ? 'PUT' : 'GET',
    url: `/v1/deployments/${deployment}/healing`,
    headers: { authorization: `Bearer ${token}`, 'x-remodel-user': 'ann' },
    ...(body ? { payload: body } : {}),
  })

/** A plan of a kind, which is all that is known of the deployment. */
async function known(deployment: string, kind: string): Promise<void> {
  await api.town.ledger.store(
    sealPlan(
      { remodels: [remodel('a')], windows: [], permits: [], notes: [] },
      { deployment, kind, materials: [], strategy: null },
      { deployment, version: 0, materials: [] },
    ),
  )
}

test('a deployment is mended when a caller has said so, and the caller is remembered', async () => {
  await known('web', 'deployment')
  expect((await ask('web')).json()).toEqual({ mode: 'off', by: null, at: null, message: '', waits: null, repairs: [] })
  const said = await ask('web', { mode: 'apply', message: 'from now on' })
  expect(said.json()).toMatchObject({ mode: 'apply', by: { kind: 'token', name: 'ann' }, message: 'from now on' })
  expect((await ask('web')).json()).toEqual(said.json())
  expect((await ask('web', { mode: 'off' })).json()).toMatchObject({ mode: 'off', message: '' })
})

test('a deployment of which nothing can be mended is refused, and so is one that is not there, and another mode', async () => {
  await known('shop', 'files')
  const refused = await ask('shop', { mode: 'apply' })
  expect(refused.statusCode).toBe(409)
  expect(refused.json().detail).toContain('shop is of kind files, of which nothing is mended between deploys')
  expect((await ask('shop', { mode: 'off' })).statusCode).toBe(200)
  expect((await ask('nothing')).statusCode).toBe(404)
  expect((await ask('nothing', { mode: 'apply' })).statusCode).toBe(404)
  expect((await ask('shop', { mode: 'often' })).statusCode).toBe(422)
})
