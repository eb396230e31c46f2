import { describe, expect, test } from 'vitest'
import { after, longestMs, pause, timeLimit } from '../../shared/runtime/timer.ts'

const dayMs = 24 * 3600 * 1000

describe('a timer', () => {
  for (const ms of [longestMs + 1, 30 * dayMs, 400 * 365 * dayMs, Number.MAX_SAFE_INTEGER]) {
    test(`of ${ms} ms does not fire at once`, async () => {
      const fired: string[] = []
      const timer = after(ms, () => fired.push('after'))
      const limit = timeLimit(ms, () => new Error('late'))
      const stop = new AbortController()
      const paused = pause(ms, stop.signal).then(
        () => fired.push('pause'),
        () => {},
      )
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect([...fired, limit.signal.aborted]).toEqual([false])
      stop.abort(new Error('over'))
      await paused
      timer.end()
      limit.end()
      expect(fired).toEqual([])
    })
  }

  test('fires in its time, with its reason', async () => {
    const limit = timeLimit(20, () => new Error('late'))
    await pause(40)
    expect(limit.signal.reason).toMatchObject({ message: 'late' })
  })

  test('goes by the monotonic clock: a step of the host clock does not move it', async () => {
    const now = Date.now
    try {
      const began = performance.now()
      const waited = pause(60)
      Date.now = () => now() - 3600_000
      await waited
      expect(performance.now() - began).toBeLessThan(1_800_000)
    } finally {
      Date.now = now
    }
  })
})
