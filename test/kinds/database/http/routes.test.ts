import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildServer } from '../../../../services/planner/http/server.ts'
import type { Services } from '../../../../services/planner/http/services.ts'
import { Queues } from '../../../../shared/queue/queues.ts'
import { openTown, type Town } from '../../../reservation/town.ts'
import { person } from '../../../support/actors.ts'
import { openKinds } from '../../../support/kinds.ts'
import { startRedis, type TestRedis } from '../../../support/redis.ts'

const token = 'a-token-that-only-this-test-knows-for-callers'
let redis: TestRedis
let town: Town
let queues: Queues
let api: Awaited<ReturnType<typeof buildServer>>

beforeAll(async () => {
  redis = await startRedis()
  town = await openTown({ url: redis.url, prefix: 'routes' })
  const { ledger, planning } = town
  queues = new Queues(town.redis, ledger.settings)
  const parts = { ledger, planning, queues, kinds: await openKinds(), disk: {}, log: pino({ level: 'silent' }) }
  const stores = { redis: town.redis, settings: ledger.settings, blobs: {} }
  const services = { ...parts, stores, planner: 'p', version: '0' } as unknown as Services
  api = await buildServer(services, { token, hosts: [], local: new WeakSet() })
  const plan = await planning.plan(town.order('web'))
  await planning.apply(plan.id, { by: person('test'), message: '', waitSeconds: 0 })
  await town.run('web', plan.id)
})

afterAll(async () => {
  await api.close()
  await queues.close()
  town.close()
  await redis.stop()
})

async function ask(method: 'GET' | 'POST' | 'DELETE', path: string, payload?: object) {
  const headers = { authorization: `Bearer ${token}` }
  const answer = await api.inject({ method, url: path, headers, ...(payload && { payload }) })
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
