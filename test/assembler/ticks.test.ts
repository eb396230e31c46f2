import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { Ticks } from '../../shared/runtime/ticks.ts'

const never = () => new Promise<void>(() => {})

test('a tick that hangs for ever takes its place for its limit only, and is not begun again', async () => {
  const failed: [string, string][] = []
  const ticks = new Ticks({
    width: 1,
    limitMs: 50,
    failed: (key, error) => failed.push([key, (error as Error).message]),
  })
  const hung = vi.fn(never)
  const well = vi.fn(async () => {})
  for (let round = 0; round < 4; round++) {
    ticks.offer('hung', hung)
    ticks.offer('well', well)
    await sleep(40)
  }
  await vi.waitFor(() => expect(well.mock.calls.length).toBeGreaterThan(1))
  expect(hung).toHaveBeenCalledTimes(1)
  expect(failed).toEqual([['hung', 'it did not end within 0.05 s']])
  await ticks.stop()
})

test('no more run at once than there are places, and each name once', async () => {
  const ticks = new Ticks({ width: 3, limitMs: 10_000, failed: () => {} })
  const running = new Map<string, number>()
  let most = 0
  const work = (key: string) => async () => {
    running.set(key, (running.get(key) ?? 0) + 1)
    most = Math.max(
      most,
      [...running.values()].reduce((a, b) => a + b, 0),
    )
    expect(running.get(key)).toBe(1)
    await sleep(5)
    running.set(key, 0)
  }
  const done = vi.fn()
  for (let round = 0; round < 10; round++) {
    for (const key of 'abcdefgh') ticks.offer(key, async () => work(key)().then(done))
    await sleep(3)
  }
  await vi.waitFor(() => expect(done.mock.calls.length).toBeGreaterThanOrEqual(8))
  expect(most).toBe(3)
  await ticks.stop()
})

test('a process that leaves tells all that run, and waits for none that hangs', async () => {
  const failed = vi.fn()
  const ticks = new Ticks({ width: 2, limitMs: 10_000, failed })
  let told: unknown
  ticks.offer('heard', async (signal) => {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    told = signal.reason
  })
  ticks.offer('hung', never)
  ticks.offer('waits', async () => expect.fail('it is not begun any more'))
  await ticks.stop()
  expect(told).toMatchObject({ code: 'cancelled' })
  ticks.offer('late', async () => expect.fail('nothing is begun any more'))
  expect(failed).not.toHaveBeenCalled()
})
