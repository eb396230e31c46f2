import { person } from '../support/actors.ts'
import './hook.ts'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Claim, Ledger } from '../../shared/ledger/ledger.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { planOf, released, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import type { Fault } from './faults.ts'
import { simulate } from './run.ts'

/**
 * Faults that the simulator has found, each in the shortest form that shows it; on a real Redis
 * where one script is enough.
 */

let server: TestRedis
let redis: Redis
let ledger: Ledger
let counter = 0

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

async function opened(...drafts: Parameters<typeof planOf> extends [string, ...infer Rest] ? Rest : never) {
  const deployment = `r${++counter}`
  const plan = await ledger.store(planOf(deployment, ...drafts), 1)
  await ledger.open(deployment, plan.id, { by: person('test'), message: 'testing' })
  const claim = async (id: string): Promise<Claim> => {
    const [result] = await ledger.claim(deployment, 'w', [{ plan: plan.id, remodel: id, job: `${id} #1` }])
    if (result?.status !== 'claimed') throw new Error(`${id} is not to be had: ${result?.status}`)
    return result.claim
  }
  const state = async (id: string) =>
    (await ledger.remodelRecords(deployment, plan.id)).find((one) => one.id === id)?.state
  return { deployment, plan, claim, state }
}

const end = (claim: Claim, outcome: 'done' | 'failed' | 'retry') => ({
  plan: claim.plan,
  remodel: claim.remodel.id,
  fence: claim.fence,
  outcome,
  ...(outcome === 'done' ? {} : { code: 'job-failed', message: 'broke' }),
})

describe('the ledger', () => {
  test('settles an approval once where its deadline and the failure of another fall together', async () => {
    const { deployment, plan, claim } = await opened([
      remodel('a', [], { deadlineSeconds: 0.01, attempts: 1 }),
      remodel('sure?', [], { action: 'approve', deadlineSeconds: 1 }),
    ])
    await claim('a')
    await new Promise((resolve) => setTimeout(resolve, 1100))
    await ledger.expire(deployment, plan.id, 0)
    const { counts, state } = await ledger.planRecord(deployment, plan.id)
    expect(counts).toMatchObject({ total: 2, failed: 1, skipped: 1 })
    expect(state).toBe('failed')
  })

  test('releases nothing by a permit that it frees by skipping', async () => {
    const permits = Array.from({ length: 20 }, (_, i) => `p${i}`)
    const { deployment, plan, claim } = await opened(
      [remodel('bad'), ...permits.map((permit) => remodel(`in ${permit}`, [], { permit }))],
      { windows: [{ name: 'w', limit: 1 }], permits: permits.map((name) => ({ name, windows: ['w'] })) },
    )
    await ledger.complete(deployment, [end(await claim('bad'), 'failed')])
    expect(await released(ledger, deployment, plan.id)).toEqual([])
    expect(await ledger.planRecord(deployment, plan.id)).toMatchObject({
      state: 'failed',
      counts: { failed: 1, skipped: 20 },
    })
  })

  test('gives a worker nothing to take along that a failure of the same moment has skipped', async () => {
    const { deployment, plan, claim, state } = await opened(
      [remodel('bad'), remodel('a', [], { permit: 'p0' }), remodel('b', [], { permit: 'p1' })],
      { windows: [{ name: 'w', limit: 1 }], permits: ['p0', 'p1'].map((name) => ({ name, windows: ['w'] })) },
    )
    const [a, bad] = [await claim('a'), await claim('bad')]
    const results = await ledger.complete(deployment, [
      { ...end(a, 'done'), job: 'a #1', take: 'assemble' },
      { ...end(bad, 'failed'), job: 'bad #1', take: 'assemble' },
    ])
    expect(results.map((result) => result.next)).toEqual([undefined, undefined])
    expect(await state('b')).toBe('skipped')
    expect(await ledger.planRecord(deployment, plan.id)).toMatchObject({
      state: 'failed',
      counts: { done: 1, failed: 1, skipped: 1 },
    })
  })

  test('keeps cleanup back while what comes before it still runs, though what lies between is skipped', async () => {
    const { deployment, claim, state } = await opened([
      remodel('bad'),
      remodel('create'),
      remodel('start', ['create', 'bad']),
      remodel('tidy', ['start'], { when: 'always' }),
    ])
    const create = await claim('create')
    await ledger.complete(deployment, [end(await claim('bad'), 'failed')])
    expect(await state('tidy')).toBe('blocked')
    await ledger.complete(deployment, [end(create, 'done')])
    expect(await state('start')).toBe('skipped')
    expect(await state('tidy')).toBe('released')
  })

  test('leaves a plan that runs alone when the same order comes a second time and was paused while it stored', async () => {
    const deployment = `r${++counter}`
    const plan = planOf(deployment, [remodel('a'), remodel('b', ['a'])])
    const other = connectRedis({ url: server.url, prefix: 'test' }, 'service')
    const late = new Ledger(other, { url: server.url, prefix: 'test' })
    const commands = other as unknown as { ledger_store(...args: unknown[]): Promise<unknown> }
    const send = commands.ledger_store.bind(other)
    const paused = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    commands.ledger_store = async (...args) => {
      paused.resolve()
      await goOn.promise
      return send(...args)
    }
    const second = late.store(plan, 1)
    await paused.promise
    await ledger.store(plan, 1)
    await ledger.open(deployment, plan.id, { by: person('test'), message: 'testing' })
    await ledger.claim(deployment, 'w', [{ plan: plan.id, remodel: 'a', job: 'a #1' }])
    goOn.resolve()
    expect((await second).id).not.toBe(plan.id)
    const states = (await ledger.remodelRecords(deployment, plan.id)).map((one) => [one.id, one.state])
    expect(Object.fromEntries(states)).toEqual({ a: 'running', b: 'blocked' })
    expect((await ledger.planRecord(deployment, plan.id)).state).toBe('running')
    other.disconnect()
  })

  test('lists a plan whose planner died between storing and listing it, when it is stored again', async () => {
    const plan = planOf(`r${++counter}`, [remodel('a')])
    await ledger.store(plan, 1)
    await redis.hdel('test:plans', plan.id)
    await ledger.store(plan, 1)
    expect(await ledger.deploymentOfPlan(plan.id)).toBe(plan.deployment)
  })

  test('finds a held deployment that fell off the active list', async () => {
    const { deployment } = await opened([remodel('a')])
    await redis.srem('test:active', deployment)
    await ledger.recall()
    expect(await ledger.active()).toContain(deployment)
  })
})

/** Seed and faults that showed a fault of the services when it was there, as the simulator printed them. */
const runs: [what: string, seed: number, faults?: Fault[]][] = [
  [
    'a job that a full Redis made fail is published again under its own id',
    7,
    [{ when: { atMs: 1532.1176808793098 }, kind: 'full', ms: 1226.606478302274 }],
  ],
  [
    'a plan that asks for a package while it is dropped for others gets it compiled',
    190,
    [
      { when: { atMs: 939.2402792349458 }, kind: 'duplicate' },
      { when: { atMs: 2182.167315389961 }, kind: 'duplicate' },
      { when: { atMs: 1609.9589187651873 }, kind: 'duplicate' },
    ],
  ],
  [
    'a plan whose first parts Redis forgot while it was stored is stored whole',
    35195,
    [{ when: { atMs: 7.0033530704677105 }, kind: 'rollback', backMs: 823.3164829520974 }],
  ],
]

describe('the whole, simulated', () => {
  test.for(runs)('%s', async ([, seed, faults]) => {
    const outcome = await simulate({ seed, ...(faults ? { faults } : {}) })
    expect(outcome.violation).toBeNull()
  })
})
