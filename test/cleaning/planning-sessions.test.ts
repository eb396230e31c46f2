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
  test('is waited for no longer than any takes, though its planner was killed before the clock of Redis was set back', async () => {
    const settings = { url: server.url, prefix: 'b' }
    const redis = connectRedis(settings, 'service')
    const drawings = new PlanningSessions(redis, settings)
    const dead = drawings.during(() => new Promise(() => {}))
    void dead
    await expect.poll(() => redis.zcard('b:{supply}:drawings')).toBe(1)
    const [sign] = (await redis.keys('b:{supply}:drawings:*')).filter((key) => !key.endsWith(':number'))
    await redis.pexpire(sign!, 13 * 3_600_000)
    await expect(drawings.settled(300)).rejects.toMatchObject({ code: 'deadline' })
    expect(await redis.pttl(sign!)).toBeLessThanOrEqual(15 * 60_000)
    await redis.del(sign!)
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
