import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildServer } from '../../services/planner/http/server.ts'
import type { Services } from '../../services/planner/http/services.ts'
import { Queues } from '../../shared/queue/queues.ts'
import { openTown, type Town } from '../reservation/town.ts'
import { openKinds } from '../support/kinds.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { httpPage } from './http-page.ts'

let redis: TestRedis
let town: Town
let queues: Queues
let api: Awaited<ReturnType<typeof buildServer>>

beforeAll(async () => {
  redis = await startRedis()
  town = await openTown({ url: redis.url, prefix: 'openapi' })
  const { ledger, planning } = town
  queues = new Queues(town.redis, ledger.settings)
  const parts = { ledger, planning, queues, kinds: await openKinds(), disk: {}, log: pino({ level: 'silent' }) }
  const stores = { redis: town.redis, settings: ledger.settings, blobs: {} }
  api = await buildServer({ ...parts, stores, planner: 'p', version: '1' } as unknown as Services)
  await api.ready()
})

afterAll(async () => {
  await api.close()
  await queues.close()
  town.close()
  await redis.stop()
})

/**
 * Written anew by `vitest run test/api/openapi.test.ts --update`: what changes for those who call the API is
 * read in its difference.
 */
test('the API is as shared/api/openapi.json describes it', async () => {
  const { info, ...rest } = api.swagger() as unknown as Record<string, unknown>
  expect(info).toMatchObject({ title: 'Remodel' })
  const text = `${JSON.stringify(rest, null, 1)}\n`
  await expect(text).toMatchFileSnapshot('../../shared/api/openapi.json')
})

const routes = () =>
  (api.swagger() as unknown as { paths: Record<string, Record<string, { description?: string }>> }).paths

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
