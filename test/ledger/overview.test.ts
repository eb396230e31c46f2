import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { Overview } from '../../shared/ledger/overview.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let ledger: Ledger
let overview: Overview
const lock = { by: person('test'), message: 'testing' }
const dayMs = 24 * 3600 * 1000

beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis({ url: server.url, prefix: 'o' }, 'service')
  ledger = new Ledger(redis, { url: server.url, prefix: 'o' })
  overview = new Overview(ledger)
})

afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

const store = (deployment: string, at: number) => ledger.store(planOf(deployment, [remodel(`r${at}`)]), at)

/** How many commands Redis carries out for `work`. */
async function commandsOf(work: () => Promise<unknown>): Promise<number> {
  const count = async () => Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1])
  const before = await count()
  await work()
  return (await count()) - before - 1
}

describe('tables over all deployments', () => {
  test('plans: the newest of all, in the order they were stored, without a look at every deployment', async () => {
    for (let i = 0; i < 100; i++) await store(`d${i}`, 1000 + i)
    await store('d0', 2000)
    const plans = await overview.plans(3)
    expect(plans.map(({ deployment, createdAt }) => [deployment, createdAt])).toEqual([
      ['d0', 2000],
      ['d99', 1099],
      ['d98', 1098],
    ])
    expect((await overview.plans(10, 'd0')).map(({ createdAt }) => createdAt)).toEqual([2000, 1000])
    expect(await commandsOf(() => overview.plans(3))).toBeLessThan(12)
  })

  test('locks: of those that are held, or of one, without a look at every deployment', async () => {
    const plan = await store('d7', 3000)
    await ledger.open('d7', plan.id, lock)
    expect(await overview.locks()).toMatchObject([
      { deployment: 'd7', lock: { plan: plan.id, holder: person('test') } },
    ])
    expect(await overview.locks('d7')).toHaveLength(1)
    expect(await overview.locks('d8')).toEqual([])
    expect(await commandsOf(() => overview.locks())).toBeLessThan(5)
  })

  test('deployments: materials of each, its last plan and its holder', async () => {
    await redis.hset(`${ledger.base('d7')}:floorplan`, 'vm/a', '{}', 'vm/b', '{}', 'disk/a', '{}')
    const [one, two] = await overview.deployments(['d7', 'd8', 'none'])
    expect(one).toMatchObject({ name: 'd7', materials: { disk: 1, vm: 2 }, lastPlan: { createdAt: 3000 } })
    expect(one!.lock).not.toBe(null)
    expect(two).toMatchObject({ name: 'd8', materials: {}, lock: null })
    await redis.del(`${ledger.base('d7')}:floorplan`)
  })

  test('a deployment that is held and missing on the active list is put back, without a look at every deployment', async () => {
    await redis.srem('o:active', 'd7')
    expect(await commandsOf(() => ledger.recall())).toBeLessThan(5)
    expect(await ledger.active()).toContain('d7')
  })
})

describe('retention', () => {
  test('looks at deployments in which a plan was stored or has ended, and at the others when their time has come', async () => {
    const due = async () => new Set(await ledger.retention.dueForRetention(1000))
    expect(await due()).toContain('d1')
    for (const name of await due()) await ledger.retention.putOffRetention(name, 60_000)
    expect(await due()).toEqual(new Set())
    await store('d2', 4000)
    expect(await due()).toEqual(new Set(['d2']))
    await ledger.retention.putOffRetention('d2', 60_000)
    await ledger.retention.listEnded('d3', 'p1')
    expect(await due()).toEqual(new Set(['d3']))
  })

  test('looks at a deployment within an hour, and moves a plan that has ended, though the clock of Redis was set back', async () => {
    const ahead = Date.now() + 13 * 3_600_000
    await redis.zadd('o:due', ahead, 'd1')
    await redis.zadd('o:ended', ahead, JSON.stringify(['d1', 'p1']))
    await ledger.retention.dueForRetention(1000)
    expect(Number(await redis.zscore('o:due', 'd1'))).toBeLessThanOrEqual(Date.now() + 3_600_000)
    expect(await ledger.retention.endedPlans(0, 1000)).toContainEqual({ deployment: 'd1', plan: 'p1' })
    await redis.zrem('o:ended', JSON.stringify(['d1', 'p1']))
    await ledger.retention.putOffRetention('d1', 0)
  })

  test('a name goes with the last plan of its deployment, unless something stands, and comes back with the next', async () => {
    const [now, month] = [Date.now(), 31 * dayMs]
    const end = async (deployment: string) => {
      const plan = await store(deployment, now)
      await ledger.open(deployment, plan.id, lock)
      await ledger.cancel(deployment, plan.id, person('test'))
      while ((await ledger.advance(deployment, plan.id)).isMore);
    }
    await end('gone')
    await end('stands')
    await redis.hset(`${ledger.base('stands')}:floorplan`, 'vm/a', '{}')
    const seq = await redis.hget(`${ledger.base('gone')}:meta`, 'seq')
    for (const name of ['gone', 'stands']) await ledger.retention.forget(name, 50, dayMs, now)
    expect(await ledger.deployments()).toEqual(expect.arrayContaining(['gone', 'stands']))
    for (const name of ['gone', 'stands']) await ledger.retention.forget(name, 50, dayMs, now + month)
    expect(await ledger.deployments()).not.toContain('gone')
    expect(await ledger.deployments()).toContain('stands')
    expect(await redis.keys('o:{gone}:*')).toEqual(['o:{gone}:meta'])
    await end('gone')
    expect(await ledger.deployments()).toContain('gone')
    expect((await ledger.events('gone', 0))[0]?.seq).toBe(Number(seq) + 1)
  })

  test('deployments from before there were lists are listed when a planner starts', async () => {
    await redis.del('o:due', 'o:recent')
    await ledger.retention.relist()
    expect((await overview.plans(1))[0]?.deployment).toBeDefined()
    expect(await ledger.retention.dueForRetention(1000)).toContain('d1')
  })
})
