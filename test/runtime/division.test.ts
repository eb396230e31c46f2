import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Division } from '../../shared/runtime/division.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
const settings = () => ({ url: server.url, prefix: 'test' })

beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis(settings(), 'service')
})

afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

test('a planner that was killed before the clock of Redis was set back leaves its deployments in seconds', async () => {
  await redis.zadd('test:planners', Date.now() + 13 * 3_600_000, 'dead')
  const alone = new Division(redis, settings(), { role: 'planners', self: 'alone' })
  await alone.start()
  const names = Array.from({ length: 32 }, (_, i) => `d${i}`)
  expect(names.every((name) => alone.falls(name))).toBe(false)
  await expect.poll(() => names.every((name) => alone.falls(name)), { timeout: 30_000, interval: 200 }).toBe(true)
  await alone.stop()
}, 40_000)

test.each([
  ['an hour ahead', 3_600_000],
  ['an hour behind', -3_600_000],
])(
  'a planner whose clock is %s shares deployments while it lives, and leaves them when it is gone',
  async (_, skew) => {
    const names = Array.from({ length: 32 }, (_, i) => `d${i}`)
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => performance.timeOrigin + performance.now() + skew)
    const skewed = new Division(redis, settings(), { role: 'planners', self: `skewed${skew}` })
    await skewed.start()
    clock.mockRestore()
    const other = new Division(redis, settings(), { role: 'planners', self: `other${skew}` })
    await other.start()
    const shared = names.filter((name) => other.falls(name)).length
    expect(shared).toBeGreaterThan(0)
    expect(shared).toBeLessThan(names.length)
    // It is gone without a word, before it has beaten a second time: its entry stays.
    vi.spyOn(redis, 'zrem').mockResolvedValueOnce(0)
    await skewed.stop()
    await vi.waitFor(() => expect(names.every((name) => other.falls(name))).toBe(true), 7000)
    await other.stop()
  },
  15_000,
)
