import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Claims } from '../../shared/lock/claims.ts'
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

const me = (who: string) => ({ who, since: 1000, message: 'testing' })
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Keeps the event loop from turning, as a long computation would. */
function stall(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

describe('a claim', () => {
  test('has one holder at a time, and a refusal names the holder', async () => {
    const claims = new Claims(redis, settings())
    const held = await claims.take(['{l}:one'], me('anna'))
    await expect(claims.take(['{l}:one'], me('bert'))).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining('anna'),
    })
    expect(await claims.holder('{l}:one')).toEqual(me('anna'))
    await held.release()
    await (await claims.take(['{l}:one'], me('bert'))).release()
  })

  test('has a fence that grows with every taking', async () => {
    const claims = new Claims(redis, settings())
    const fences: number[] = []
    for (let i = 0; i < 3; i++) {
      const held = await claims.take(['{l}:grow'], me('anna'))
      fences.push(held.fence)
      await held.release()
    }
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))
    expect(fences.every(Number.isSafeInteger)).toBe(true)
  })

  test('on several resources is all or nothing, in whatever order they are named', async () => {
    const claims = new Claims(redis, settings())
    const held = await claims.take(['{l}:b', '{l}:a'], me('anna'))
    await expect(claims.take(['{l}:c', '{l}:b'], me('bert'))).rejects.toMatchObject({ code: 'locked' })
    expect(await redis.exists('{l}:c')).toBe(0)
    await held.release()
  })

  test('lives as long as its holder renews it, and ends soon after the holder vanished', async () => {
    const claims = new Claims(redis, settings(), 3000)
    const held = await claims.take(['{l}:renewed'], me('anna'))
    await sleep(4000)
    await expect(claims.take(['{l}:renewed'], me('bert'))).rejects.toMatchObject({ code: 'locked' })
    await held.release()
  })

  test('that was lost aborts the work of its holder', async () => {
    const claims = new Claims(redis, settings(), 300)
    const held = await claims.take(['{l}:lost'], me('anna'))
    await redis.del('{l}:lost')
    await expect.poll(() => held.signal.aborted, { timeout: 2000 }).toBe(true)
    expect(held.signal.reason).toMatchObject({ code: 'superseded' })
    await held.release()
  })

  test('that ran out while the event loop was stalled is lost, and its release leaves the new holder alone', async () => {
    const claims = new Claims(redis, settings(), 200)
    const other = new Claims(redis, settings(), 5000)
    const held = await claims.take(['{l}:stalled'], me('anna'))
    stall(400)
    const young = await other.take(['{l}:stalled'], me('bert'))
    expect(young.fence).toBeGreaterThan(held.fence)
    await expect.poll(() => held.signal.aborted).toBe(true)
    await held.release()
    expect(await other.holder('{l}:stalled')).toEqual(me('bert'))
    await young.release()
  })

  test('that had run out when it was granted is refused', async () => {
    const own = connectRedis(settings(), 'service')
    const evalsha = own.evalsha.bind(own) as (...args: unknown[]) => Promise<unknown>
    // The process stalls between asking for the lock and reading the answer.
    Object.assign(own, {
      evalsha: (...args: unknown[]) => {
        const answer = evalsha(...args)
        setImmediate(() => stall(200))
        return answer
      },
    })
    await expect(new Claims(own, settings(), 50).take(['{l}:late'], me('anna'))).rejects.toMatchObject({
      code: 'locked',
    })
    own.disconnect()
  })

  test('is not granted on a Redis that came back older until every lock it may have forgotten has run out', async () => {
    const claims = new Claims(redis, settings(), 300)
    await (await claims.take(['{l}:epoch'], me('anna'))).release()
    await redis.hset('test:epoch', 'lost', 1)
    await expect(claims.take(['{l}:epoch'], me('anna'))).rejects.toMatchObject({ code: 'locked' })
    await sleep(350)
    await (await claims.take(['{l}:epoch'], me('anna'))).release()
    await redis.del('test:epoch')
    await sleep(10)
  })

  test('of a dead holder ends in time though the clock of Redis was set back, and one of a holder that lives stays', async () => {
    const own = connectRedis(settings(), 'service')
    const claims = new Claims(redis, settings(), 3000)
    await new Claims(own, settings(), 3000).take(['{l}:dead'], me('anna'))
    own.disconnect()
    const held = await claims.take(['{l}:alive'], me('bert'))
    // What a step of the clock by an hour leaves: locks that end an hour later than they were meant to.
    for (const key of ['{l}:dead', '{l}:alive']) await redis.pexpire(key, 3_600_000)
    const wants = (key: string) => claims.take([key], me('carl')).then((claim) => claim.release())
    await expect(wants('{l}:alive')).rejects.toMatchObject({ code: 'locked' })
    await expect
      .poll(
        () =>
          wants('{l}:dead').then(
            () => 'granted',
            () => 'locked',
          ),
        { timeout: 60_000 },
      )
      .toBe('granted')
    await expect(wants('{l}:alive')).rejects.toMatchObject({ code: 'locked' })
    expect(held.signal.aborted).toBe(false)
    await held.release()
  }, 70_000)

  test('is not lost where the clock of its holder is set by hours, either way', async () => {
    const claims = new Claims(redis, settings(), 3000)
    const held = await claims.take(['{l}:stepped'], me('anna'))
    try {
      for (const hours of [5, -5]) {
        vi.setSystemTime(Date.now() + hours * 3_600_000)
        // Longer than it lasts without a renewal.
        await sleep(4000)
        expect(held.signal.aborted).toBe(false)
        expect(await claims.holder('{l}:stepped')).toMatchObject({ who: 'anna' })
      }
    } finally {
      vi.useRealTimers()
      await held.release()
    }
  })

  test('is granted to exactly one of many that want it at the same time', async () => {
    const claims = new Claims(redis, settings())
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, (_, i) => claims.take(['{l}:many'], me(`w${i}`))),
    )
    const granted = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    expect(granted).toHaveLength(1)
    await granted[0]!.release()
  })
})
