import { expect, test, vi } from 'vitest'
import { startLoop } from '../../shared/runtime/loop.ts'

test('a loop takes no turn while one is under way, tells a failure, and goes on', async () => {
  vi.useFakeTimers()
  try {
    const turns: PromiseWithResolvers<void>[] = []
    const failures: unknown[] = []
    const turn = () => {
      const next = Promise.withResolvers<void>()
      turns.push(next)
      return next.promise
    }
    const loop = startLoop({ everyMs: 100, turn, failed: (error) => failures.push(error) })
    expect(turns).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(350)
    expect(turns).toHaveLength(1)
    turns[0]!.reject('away')
    await vi.advanceTimersByTimeAsync(100)
    expect([turns.length, failures]).toEqual([2, ['away']])
    let stopped = false
    void loop.stop().then(() => {
      stopped = true
    })
    await vi.advanceTimersByTimeAsync(500)
    expect([turns.length, stopped]).toEqual([2, false])
    turns[1]!.resolve()
    await vi.advanceTimersByTimeAsync(0)
    expect(stopped).toBe(true)
  } finally {
    vi.useRealTimers()
  }
})

test('a loop may begin at once', async () => {
  let turns = 0
  const turn = async () => {
    turns += 1
  }
  const loop = startLoop({ everyMs: 60_000, atOnce: true, turn, failed: () => {} })
  await loop.stop()
  expect(turns).toBe(1)
})
