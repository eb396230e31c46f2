import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RedisCompiledIndex } from '../../shared/compilation/compiled.ts'
import { CompileRequests } from '../../shared/compilation/requests.ts'
import type { CompileSpec } from '../../shared/compilation/spec.ts'
import { Claims } from '../../shared/lock/claims.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let requests: CompileRequests
let index: RedisCompiledIndex
const settings = () => ({ url: server.url, prefix: 'test' })

beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis(settings(), 'service')
  requests = new CompileRequests(redis, settings())
  index = new RedisCompiledIndex(redis, settings())
})

afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

const spec = (key: string): CompileSpec => ({
  key,
  name: 'zlib',
  fingerprint: 'f',
  source: 'sha256:s',
  dependencies: [],
  stemcell: { name: 'local', os: 'local', version: '1' },
  resources: {},
  reuse: true,
})
const subscriber = (deployment: string) => ({ deployment, plan: 'p', remodel: 'compile-package zlib' })
const compiled = (key: string, digest: string) => ({ key, digest, size: 1, durationMs: 1, compiledAt: 1 })
const holder = { who: 'w', since: 1, message: '' }

describe('a request for a package key', () => {
  test('is queued by the first subscriber and joined by the others, which learn for whom it is compiled', async () => {
    const first = await requests.join(spec('k1'), subscriber('one'))
    const second = await requests.join(spec('k1'), subscriber('two'))
    expect(first.status).toBe('queued')
    expect(second).toMatchObject({ status: 'joined', n: first.n, by: subscriber('one') })
    expect((await requests.read('k1'))?.subscribers).toHaveLength(2)
  })

  test('is idle only when every subscriber has the outcome, also those that came meanwhile', async () => {
    await requests.join(spec('k2'), subscriber('one'))
    const known = (await requests.read('k2'))!.subscribers
    await requests.join(spec('k2'), subscriber('late'))
    expect(await requests.settle('k2', known)).toBe(1)
    expect((await requests.join(spec('k2'), subscriber('later'))).status).toBe('joined')
    expect(await requests.settle('k2', [subscriber('late'), subscriber('later')])).toBe(0)
    expect((await requests.join(spec('k2'), subscriber('again'))).status).toBe('queued')
  })

  test('asked for twice by the same remodel counts once', async () => {
    await requests.join(spec('k3'), subscriber('one'))
    await requests.join(spec('k3'), subscriber('one'))
    expect((await requests.read('k3'))?.subscribers).toEqual([subscriber('one')])
  })
})

describe('a request whose first subscriber is let go', () => {
  test('is attributed to the next-earliest subscriber once the first one has left', async () => {
    for (const name of ['one', 'two', 'three']) {
      await requests.join(spec('k6'), subscriber(name))
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    expect(await requests.asked(['k6', 'unknown'])).toEqual(new Map([['k6', subscriber('one')]]))
    await requests.settle('k6', [subscriber('one')])
    expect((await requests.asked(['k6'])).get('k6')).toEqual(subscriber('two'))
    await requests.settle('k6', [subscriber('two'), subscriber('three')])
    expect((await requests.asked(['k6'])).size).toBe(0)
  })
})

describe('a result', () => {
  test('is recorded under the fence of the claim, and by no compiler with an older one', async () => {
    const claims = new Claims(redis, settings())
    const old = await claims.take([requests.claimKey('k4')], holder)
    await old.release()
    const young = await claims.take([requests.claimKey('k4')], holder)
    expect(await requests.record(compiled('k4', 'sha256:late'), old, spec('k4'))).toBe('superseded')
    expect((await index.find(['k4'])).size).toBe(0)
    expect(await requests.record(compiled('k4', 'sha256:good'), young, spec('k4'))).toBe('recorded')
    expect((await index.find(['k4'])).get('k4')?.digest).toBe('sha256:good')
    await young.release()
  })

  test('is recorded under the whole fence: another claim that has the same number records nothing', async () => {
    const claims = new Claims(redis, settings())
    const held = await claims.take([requests.claimKey('k7')], holder)
    const twin = { token: 'of another history', fence: held.fence }
    expect(await requests.record(compiled('k7', 'sha256:late'), twin, spec('k7'))).toBe('superseded')
    expect(await requests.record(compiled('k7', 'sha256:good'), held, spec('k7'))).toBe('recorded')
    await held.release()
  })

  test('once there is never replaced: what a key denotes does not change', async () => {
    const claims = new Claims(redis, settings())
    for (const [digest, answer] of [
      ['sha256:first', 'recorded'],
      ['sha256:second', 'present'],
    ] as const) {
      const held = await claims.take([requests.claimKey('k5')], holder)
      expect(await requests.record(compiled('k5', digest), held, spec('k5'))).toBe(answer)
      await held.release()
    }
    expect((await index.find(['k5'])).get('k5')?.digest).toBe('sha256:first')
  })
})

describe('a thousand concurrent claims for fifty keys', () => {
  test('have one holder of a key at a time, and none of them starves', async () => {
    const claims = new Claims(redis, settings())
    const inside = new Map<string, number>()
    const order: number[] = []
    let together = 0
    await Promise.all(
      Array.from({ length: 1000 }, async (_, i) => {
        const key = requests.claimKey(`many-${i % 50}`)
        for (;;) {
          try {
            const held = await claims.take([key], holder)
            inside.set(key, (inside.get(key) ?? 0) + 1)
            if (inside.get(key)! > 1) together += 1
            await new Promise((resolve) => setImmediate(resolve))
            inside.set(key, inside.get(key)! - 1)
            await held.release()
            order.push(i)
            return
          } catch {
            await new Promise((resolve) => setTimeout(resolve, 5 + (i % 20)))
          }
        }
      }),
    )
    expect(together).toBe(0)
    expect(new Set(order).size).toBe(1000)
  })
})
