import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Drawings } from '../../services/planner/cleaning/drawings.ts'
import { connectRedis } from '../../shared/redis.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis

beforeAll(async () => {
  server = await startRedis()
})

afterAll(async () => {
  await server.stop()
})

describe('a plan that is being drawn', () => {
  test('is waited for, though the clock of its planner is an hour behind', async () => {
    const settings = { url: server.url, prefix: 'd' }
    const redis = connectRedis(settings, 'service')
    const [behind, other] = [new Drawings(redis, settings), new Drawings(redis, settings)]
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
