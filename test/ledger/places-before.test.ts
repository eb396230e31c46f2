import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import { PlanHistory } from '../../shared/history/plan-history.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { temporaryFolder } from '../../shared/runtime/temporary.ts'
import { person } from '../support/actors.ts'
import { planOf, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let ledger: Ledger

beforeAll(async () => {
  server = await startRedis()
  const settings = { url: server.url, prefix: 'b' }
  redis = connectRedis(settings, 'service')
  ledger = new Ledger(redis, settings)
})

afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

const plan = planOf('d', [remodel('a', [], { permit: 'p' }), remodel('b', [], { permit: 'q' })], {
  windows: [{ name: 'w', limit: 1 }],
  permits: ['p', 'q'].map((name) => ({ name, windows: ['w'] })),
})
/** A remodel as the version before wrote it. */
const placed = ({ permit, ...rest }: Record<string, unknown>) => ({ ...rest, place: permit })

test('a plan that the version before has stored, with places, is read and carried out with permits', async () => {
  await ledger.store(plan, 1)
  const key = `${ledger.base('d')}:plan:${plan.id}:remodels`
  for (const [id, text] of Object.entries(await redis.hgetall(key)))
    await redis.hset(key, id, JSON.stringify(placed(JSON.parse(text))))
  expect(await ledger.plan('d', plan.id)).toEqual(plan)
  await ledger.open('d', plan.id, { by: person('ann'), message: '' })
  await ledger.advance('d', plan.id, { assemble: 10 })
  expect(await ledger.waitsFor('d', plan.id, 'b')).toEqual({ state: 'queued', waitsFor: ['permit q, in its windows'] })
})

test('so is one that it has moved to the blobstore', async () => {
  await using folder = await temporaryFolder('remodel-places')
  const history = new PlanHistory(await DiskBlobstore.open(folder.path))
  const { remodels, permits, ...header } = plan
  const digest = await history.write(
    (async function* () {
      yield ['plan', { ...header, places: permits } as never] as const
      for (const [order, one] of remodels.entries())
        yield ['remodel', { order, remodel: placed(one) as never, state: 'done', run: {} }] as const
    })() as never,
  )
  expect((await history.read(digest)).plan).toEqual(plan)
})
