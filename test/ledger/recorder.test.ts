import { afterAll, beforeAll, expect, test } from 'vitest'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { Recorder } from '../../shared/ledger/recorder.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, released, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis

beforeAll(async () => {
  server = await startRedis()
})

afterAll(() => server.stop())

test('a report that Redis has forgotten is repeated after what it relies on, which is forgotten as well', async () => {
  const settings = { url: server.url, prefix: 'recorder' }
  const redis = connectRedis(settings, 'service')
  const ledger = new Ledger(redis, settings)
  const recorder = new Recorder(ledger, 'worker')
  recorder.repeatAfterReconnect(redis)
  const plan = await ledger.store(planOf('d', [remodel('a')]), 1)
  await ledger.open('d', plan.id, { by: person('test'), message: '' })
  const [work] = await released(ledger, 'd', plan.id)
  const claimed = await recorder.claim('d', { plan: plan.id, remodel: work!.remodel, job: 'a#1' })
  if (claimed.status !== 'claimed') throw new Error(claimed.status)
  const stateOf = () => redis.hget(`${ledger.base('d')}:plan:${plan.id}:state`, 'a')
  const followers = async () => Number(/connected_slaves:(\d+)/.exec(await redis.info('replication'))?.[1])

  const promoted = server.promoteReplica(4000)
  await expect.poll(followers, { timeout: 20_000, interval: 5 }).toBe(1)
  await expect.poll(followers, { timeout: 20_000, interval: 5 }).toBe(0)
  const seen: unknown[] = []
  const report = { plan: plan.id, remodel: 'a', fence: claimed.claim.fence, outcome: 'done' } as const
  await recorder.complete('d', report, async () => seen.push(await stateOf()))
  expect(await stateOf()).toBe('done')
  expect(seen).toEqual([])
  await promoted
  await expect.poll(stateOf, { timeout: 20_000 }).toBe('done')
  expect(seen).toEqual(['running'])
  redis.disconnect()
})
