import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { begin, join, nameOf } from '../../services/compiler/subscribers.ts'
import type { Subscriber } from '../../shared/compilation/requests.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { Recorder } from '../../shared/ledger/recorder.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, released, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let ledger: Ledger

beforeAll(async () => {
  server = await startRedis()
  const settings = { url: server.url, prefix: 'test' }
  redis = connectRedis(settings, 'service')
  ledger = new Ledger(redis, settings)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

/** A running plan of a deployment with one package that may be begun three times. */
async function asks(deployment: string): Promise<Subscriber> {
  const plan = planOf(deployment, [remodel('r', [], { queue: 'compile', attempts: 3 })])
  await ledger.store(plan, Date.now())
  await ledger.open(deployment, plan.id, { by: person('test'), message: '' })
  await released(ledger, deployment, plan.id)
  return { deployment, plan: plan.id, remodel: 'r' }
}

/** A compiler that has never shown that it lives: dead as soon as another one asks. */
const compiler = (name: string) => ({ recorder: new Recorder(ledger, name) })

test('a plan that only joins a package loses no attempt where its compilers die; the first one does, and fails after its attempts', async () => {
  const [asker, joiner, late] = [await asks('first'), await asks('second'), await asks('third')]
  const attempts: (number | undefined)[][] = []
  for (let n = 0; n < 5; n++) {
    const tools = compiler(`compiler-${n}`)
    const claims = new Map([...(await begin([joiner, asker], asker, tools)), ...(await join([late], tools))])
    attempts.push([asker, joiner, late].map((one) => claims.get(nameOf(one))?.attempt))
  }
  expect(attempts).toEqual([
    [1, 1, 1],
    [2, 1, 1],
    [3, 1, 1],
    // From here it is compiled for the next one, whom the deaths of its compilers will cost attempts.
    [undefined, 1, 1],
    [undefined, 2, 1],
  ])
  expect((await ledger.planRecord('first', asker.plan)).state).toBe('failed')
  expect((await ledger.planRecord('second', joiner.plan)).state).toBe('running')
})

test('a joiner loses no attempt where its job is gone with its worker and the ledger takes it up, also past its deadline', async () => {
  const [asker, joiner] = [await asks('fourth'), await asks('fifth')]
  const of = async ({ deployment, plan }: Subscriber) => (await ledger.planRecord(deployment, plan)).state
  const attempts: (number | undefined)[][] = []
  for (let n = 0; n < 4; n++) {
    const claims = await begin([asker, joiner], n < 3 ? asker : joiner, compiler(`leaver-${n}`))
    attempts.push([asker, joiner].map((one) => claims.get(nameOf(one))?.attempt))
    for (const { deployment, plan } of [asker, joiner])
      await ledger.expire(deployment, plan, n % 2 === 0 ? 2000 : -3_600_000, { gone: [`leaver-${n}`] })
    for (const { deployment, plan } of [asker, joiner]) await ledger.advance(deployment, plan, { compile: 10 })
  }
  expect(attempts).toEqual([
    [1, 1],
    [2, 1],
    [3, 1],
    [undefined, 1],
  ])
  expect(await Promise.all([asker, joiner].map(of))).toEqual(['failed', 'running'])
})
