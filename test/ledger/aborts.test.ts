import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Aborts } from '../../shared/ledger/aborts.ts'
import { type Claim, Ledger } from '../../shared/ledger/ledger.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let ledger: Ledger
let aborts: Aborts
const subscribers: ReturnType<typeof connectRedis>[] = []

beforeAll(async () => {
  server = await startRedis()
  const settings = { url: server.url, prefix: 'test' }
  ledger = new Ledger(connectRedis(settings, 'service'), settings)
  subscribers.push(connectRedis(settings, 'service'))
  aborts = new Aborts(subscribers[0]!, ledger)
  await aborts.start(settings)
})

afterAll(async () => {
  ledger.redis.disconnect()
  for (const subscriber of subscribers) subscriber.disconnect()
  await server.stop()
})

/** A running plan whose one remodel is being carried out. */
async function inHand(deployment: string): Promise<Claim> {
  const plan = await ledger.store(planOf(deployment, [remodel('a')]), Date.now())
  await ledger.open(deployment, plan.id, { by: person('test'), message: '' })
  const [result] = await ledger.claim(deployment, 'w', [{ plan: plan.id, remodel: 'a', job: 'a.1' }])
  if (result?.status !== 'claimed') throw new Error('not claimed')
  return result.claim
}

/** Cancels, and waits until that was heard. */
async function cancel(deployment: string, claim: Claim): Promise<void> {
  const heard = aborts.watch(claim, performance.now())
  await ledger.cancel(deployment, claim.plan, person('test'))
  await expect.poll(() => heard.signal.aborted).toBe(true)
  heard.end()
}

test('running work learns that its plan was cancelled, with the reason', async () => {
  const [plan, other] = [await inHand('one'), await inHand('other')]
  const [watch, beside] = [aborts.watch(plan, performance.now()), aborts.watch(other, performance.now())]
  await cancel('one', plan)
  expect(watch.signal.reason).toMatchObject({ code: 'cancelled' })
  expect(beside.signal.aborted).toBe(false)
})

test('a cancellation that is heard before the answer to a claim reaches the claimant', async () => {
  const asked = performance.now()
  const plan = await inHand('early')
  await cancel('early', plan)
  expect(aborts.watch(plan, asked).signal.reason).toMatchObject({ code: 'cancelled' })
})

test('what is begun after a cancellation, to clean up, is not aborted by it', async () => {
  const plan = await inHand('cleanup')
  await cancel('cleanup', plan)
  expect(aborts.watch(plan, performance.now()).signal.aborted).toBe(false)
})

test('a cancellation that is published while the connection is broken is heard when it is back, by what began before it', async () => {
  const before = await inHand('broken')
  const watch = aborts.watch(before, performance.now())
  const cleanup = aborts.watch({ ...before, startedAt: Date.now() + 60_000 }, performance.now())
  const subscriber = subscribers[0]!
  const gone = once(subscriber, 'close')
  // It comes back by itself after a moment.
  subscriber.disconnect(true)
  await gone
  await ledger.cancel('broken', before.plan, person('test'))
  await expect.poll(() => watch.signal.aborted, { timeout: 5000 }).toBe(true)
  expect(watch.signal.reason).toMatchObject({ code: 'cancelled' })
  expect(cleanup.signal.aborted).toBe(false)
})
