import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { PlanningSessions } from '../../services/planner/housekeeping/planning-sessions.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis

beforeAll(async () => {
  server = await startRedis()
})

afterAll(async () => {
  await server.stop()
})

describe('a plan that is being drawn', () => {
  test('is waited for no longer than its planner lives, though it was killed before the clock of Redis was set back', async () => {
    const settings = { url: server.url, prefix: 'b' }
    const redis = connectRedis(settings, 'service')
    const drawings = new PlanningSessions(redis, settings)
    const sign = 'b:{supply}:drawings:dead'
    await redis.zadd('b:{supply}:drawings', 0, 'dead')
    await redis.set(sign, 1, 'PX', 13 * 3_600_000)
    await expect(drawings.settled(300)).rejects.toMatchObject({ code: 'deadline' })
    expect(await redis.pttl(sign)).toBeLessThanOrEqual(20_000)
    await redis.del(sign)
    await drawings.settled(5000)
    redis.disconnect()
  })

  test('is waited for as long as its planner lives', async () => {
    const settings = { url: server.url, prefix: 'c' }
    const redis = connectRedis(settings, 'service')
    const drawings = new PlanningSessions(redis, settings, { lifeMs: 5000 })
    const ended = Promise.withResolvers<void>()
    const drawn = drawings.during(() => ended.promise)
    await expect.poll(() => redis.zcard('c:{supply}:drawings')).toBe(1)
    await expect(drawings.settled(7000)).rejects.toMatchObject({ code: 'deadline' })
    ended.resolve()
    await drawn
    await drawings.settled(5000)
    redis.disconnect()
  })

  test('is drawn again by a planner that stood still for so long that it counted as gone', async () => {
    const settings = { url: server.url, prefix: 'e' }
    const redis = connectRedis(settings, 'service')
    const drawings = new PlanningSessions(redis, settings)
    const runOut = async () => {
      await redis.del(...(await redis.keys('e:{supply}:drawings:*-*')))
      await drawings.settled(5000)
    }
    let drawn = 0
    expect(
      await drawings.during(async () => {
        if (++drawn === 1) await runOut()
        return drawn
      }),
    ).toBe(2)
    await expect(drawings.during(runOut)).rejects.toMatchObject({ code: 'infrastructure' })
    await drawings.settled(5000)
    redis.disconnect()
  })

  test('is waited for, though the clock of its planner is an hour behind', async () => {
    const settings = { url: server.url, prefix: 'd' }
    const redis = connectRedis(settings, 'service')
    const [behind, other] = [new PlanningSessions(redis, settings), new PlanningSessions(redis, settings)]
    const hourAgo = Date.now() - 3_600_000
    let end = () => {}
    const clock = vi.spyOn(Date, 'now').mockReturnValue(hourAgo)
    let begun = () => {}
    const isDrawing = new Promise<void>((resolve) => {
      begun = resolve
    })
    const drawn = behind.during(() => {
      begun()
      return new Promise<void>((resolve) => {
        end = resolve
      })
    })
    await isDrawing
    clock.mockRestore()
    await expect(other.settled(300)).rejects.toMatchObject({ code: 'deadline' })
    end()
    await drawn
    await other.settled(5000)
    redis.disconnect()
  })
})
