import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CompileRequests, type Subscriber } from '../../shared/compilation/requests.ts'
import type { CompileSpec } from '../../shared/compilation/spec.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let requests: CompileRequests

beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis({ url: server.url, prefix: 'test' }, 'service')
  requests = new CompileRequests(redis, { url: server.url, prefix: 'test' })
})
beforeEach(() => redis.flushall())
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

const spec = (key: string): CompileSpec => ({
  ...{ key, name: key, fingerprint: 'f', source: 'sha256:s', dependencies: [], resources: {}, reuse: true },
  stemcell: { name: 'local', os: 'local', version: '1' },
})
const subscriber = (deployment: string, key: string): Subscriber => ({ deployment, plan: 'p', remodel: key })

/** A deployment's plan: a limited number of its packages are on the queue at once, the next one when one is done. */
interface Plan {
  name: string
  weights: number[]
  workers: number
  /** It is applied when this number of packages of all are done. */
  from: number
}

/** One compiler after another package, as BullMQ hands them out: the smallest turn first, then who came first. */
async function play(plans: readonly Plan[]): Promise<string[]> {
  const queue: { plan: Plan; key: string; turn: number; at: number }[] = []
  const left = new Map(plans.map((plan) => [plan, plan.weights.map((weight, i) => ({ weight, i }))]))
  const served: string[] = []
  const total = plans.reduce((sum, plan) => sum + plan.weights.length, 0)
  let at = 0
  while (served.length < total) {
    for (const plan of plans.filter(({ from }) => from <= served.length)) {
      while (left.get(plan)!.length > 0 && queue.filter((one) => one.plan === plan).length < plan.workers) {
        const { weight, i } = left.get(plan)!.shift()!
        const key = `${plan.name}-${i}`
        const { turn } = await requests.join(spec(key), subscriber(plan.name, key), weight)
        queue.push({ plan, key, turn, at: at++ })
      }
    }
    queue.sort((a, b) => a.turn - b.turn || a.at - b.at)
    const next = queue.shift()
    if (next === undefined) {
      // No job has come yet: the next one does.
      const first = plans.filter((plan) => left.get(plan)!.length > 0).sort((a, b) => a.from - b.from)[0]!
      first.from = served.length
      continue
    }
    served.push(next.plan.name)
    await requests.settle(next.key, [subscriber(next.plan.name, next.key)])
  }
  return served
}

const longest = (n: number) => Array.from({ length: n }, (_, i) => 1_000_000 - i)

describe('the turns of deployments', () => {
  test('let a small one in beside a large one with longer paths, package by package', async () => {
    const served = await play([
      { name: 'large', weights: longest(60), workers: 6, from: 0 },
      { name: 'small', weights: [1, 1, 1], workers: 3, from: 20 },
    ])
    const waited = served.map((name, i) => (name === 'small' ? i : -1)).filter((i) => i >= 0)
    expect(waited).toHaveLength(3)
    expect(waited[2]! - 20).toBeLessThanOrEqual(3 + 6)
  })

  test('do not let a stream of small ones starve a large one', async () => {
    // As many as can be served, without end: what always lets the newest in first never comes to the large one.
    const small = Array.from({ length: 30 }, (_, i) => ({
      name: `small${i}`,
      weights: [1, 1],
      workers: 2,
      from: 2 * i,
    }))
    const served = await play([{ name: 'large', weights: longest(20), workers: 4, from: 0 }, ...small])
    const large = served.map((name, i) => (name === 'large' ? i : -1)).filter((i) => i >= 0)
    const gaps = large.slice(1).map((at, n) => at - large[n]!)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(12)
    expect(large.filter((at) => at < 40).length).toBeGreaterThanOrEqual(5)
  })

  test('share evenly what two large ones ask for, whatever their paths', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }), async (a, b) => {
        await redis.flushall()
        const served = await play([
          { name: 'heavy', weights: longest(40), workers: a, from: 0 },
          { name: 'light', weights: Array(40).fill(1), workers: b, from: 0 },
        ])
        const both = served.slice(0, 30)
        const heavy = both.filter((name) => name === 'heavy').length
        expect(Math.abs(heavy - (both.length - heavy))).toBeLessThanOrEqual(a + b)
      }),
      { numRuns: 20 },
    )
  })

  test('put the longest path of one deployment first', async () => {
    for (const [key, weight] of [
      ['b', 5],
      ['c', 1],
      ['a', 9],
    ] as const)
      await requests.join(spec(key), subscriber('d', key), weight)
    const turns = await Promise.all(
      ['a', 'b', 'c'].map(async (key) => (await requests.join(spec(key), subscriber('d', key), 0)).turn),
    )
    expect(turns).toEqual([1, 1, 2])
    const { turn } = await requests.join(spec('light'), subscriber('d', 'light'), 0)
    expect(turn).toBe(4)
  })

  test('leave nothing behind when no deployment waits, and begin anew', async () => {
    await play([{ name: 'one', weights: longest(7), workers: 2, from: 0 }])
    expect((await redis.keys('*turns*')).length).toBe(0)
    expect((await requests.join(spec('again'), subscriber('one', 'again'), 1)).turn).toBe(1)
  })
})
