import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Catalog } from '../../services/planner/catalog/catalog.ts'
import { mark } from '../../services/planner/housekeeping/mark.ts'
import type { Blobstore } from '../../shared/blobstore/blobstore.ts'
import { RedisCompiledIndex } from '../../shared/compilation/compiled.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let ledger: Ledger
const by = person('ann')

beforeAll(async () => {
  server = await startRedis()
  const settings = { url: server.url, prefix: 'o' }
  redis = connectRedis(settings, 'service')
  ledger = new Ledger(redis, settings)
})

afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

/** Stores and opens a plan for an order, and ends it. */
async function ordered(name: string, order: string, remodels = [remodel(order)]): Promise<string> {
  const { id } = await ledger.store(planOf(name, remodels), 1, order)
  await ledger.open(name, id, { id: `lock of ${id}`, by, message: `deploy ${order}` })
  await ledger.cancel(name, id, by, true)
  return id
}

test('an order stands from the moment when its plan is opened, once, with who opened it and when', async () => {
  const { id } = await ledger.store(planOf('web', [remodel('a')]), 1, 'sha256:one')
  expect(await ledger.orders('web')).toEqual([])
  const open = () => ledger.open('web', id, { id: 'lock', by, message: 'deploy web.yml' })
  expect(await open()).toEqual({ status: 'ok' })
  // Sent again after an answer that was lost.
  expect(await open()).toEqual({ status: 'ok' })
  const at = (await ledger.planRecord('web', id)).startedAt
  const first = { version: 1, plan: id, blob: 'sha256:one', at, by, message: 'deploy web.yml' }
  expect(await ledger.orders('web')).toEqual([first])
  await ledger.cancel('web', id, by, true)
  const next = await ordered('web', 'sha256:two')
  expect(await ledger.orders('web')).toMatchObject([{ version: 2, plan: next, blob: 'sha256:two' }, first])
})

test('an order that is asked for again keeps its version, and has the plan that was opened for it last', async () => {
  const [one] = [await ordered('twice', 'sha256:one'), await ordered('twice', 'sha256:two')]
  const again = await ordered('twice', 'sha256:two', [remodel('b')])
  expect(await ledger.orders('twice')).toMatchObject([
    { version: 2, blob: 'sha256:two', plan: again },
    { version: 1, blob: 'sha256:one', plan: one },
  ])
  await ordered('twice', 'sha256:one', [remodel('c')])
  expect((await ledger.orders('twice')).map(({ version }) => version)).toEqual([3, 2, 1])
})

test('a plan that no order asks for is no order', async () => {
  const { id } = await ledger.store(planOf('backup', [remodel('a')]), 1)
  await ledger.open('backup', id, { by, message: 'back-up-database backup' })
  expect(await ledger.orders('backup')).toEqual([])
})

test('a plan that is drawn again before it is applied is for the order that it was drawn for last', async () => {
  const draw = (order: string) => ledger.store(planOf('again', [remodel('a')]), 1, order)
  const { id } = await draw('sha256:one')
  expect((await draw('sha256:with-a-comment')).id).toBe(id)
  await ledger.open('again', id, { by, message: '' })
  expect(await ledger.orders('again')).toMatchObject([{ blob: 'sha256:with-a-comment' }])
})

test('a clean-up leaves what an order lies in, before its plan is opened and when that plan is forgotten', async () => {
  const settings = { url: server.url, prefix: 'marked' }
  const own = new Ledger(redis, settings)
  const named = async () => {
    const parts = { catalog: new Catalog(redis, settings), compiled: new RedisCompiledIndex(redis, settings) }
    return (await mark({ ledger: own, ...parts, blobs: {} as Blobstore, kinds: { all: [] } })).named
  }
  const { id } = await own.store(planOf('web', [remodel('a')]), 1, 'sha256:one')
  expect(await named()).toContain('sha256:one')
  await own.open('web', id, { by, message: '' })
  await own.cancel('web', id, by, true)
  await own.store(planOf('web', [remodel('b')]), await own.time(), 'sha256:two')
  await own.retention.forget('web', 0, 3600_000, await own.time())
  expect(await own.planIds('web', 0)).not.toContain(id)
  expect([...(await named())].sort()).toEqual(['sha256:one', 'sha256:two'])
})

test('the last hundred are kept, and go with the last plan of a deployment that is gone', async () => {
  for (let i = 1; i <= 103; i++) await ordered('many', `sha256:${i}`)
  const kept = (await ledger.orders('many')).map(({ version, blob }) => `${version} ${blob}`)
  expect([kept.length, kept[0], kept.at(-1)]).toEqual([100, '103 sha256:103', '4 sha256:4'])
  const inAYear = (await ledger.time()) + 365 * 24 * 3600 * 1000
  await ledger.retention.forget('many', 0, 1, inAYear)
  expect(await ledger.orders('many')).toEqual([])
})
