import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RedisCompiledIndex } from '../../shared/compilation/compiled.ts'
import { durationKeys, keptDurations, RedisDurations } from '../../shared/compilation/durations.ts'
import { CompileRequests } from '../../shared/compilation/requests.ts'
import type { CompileSpec } from '../../shared/compilation/spec.ts'
import { Claims } from '../../shared/lock/claims.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let requests: CompileRequests
let durations: RedisDurations
let claims: Claims
const settings = () => ({ url: server.url, prefix: 'test' })

beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis(settings(), 'service')
  requests = new CompileRequests(redis, settings())
  durations = new RedisDurations(redis, settings())
  claims = new Claims(redis, settings())
})

afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

/**
 * Compiled on one version of a stemcell, under the fence of a claim; `late`: under one that is not current any more.
 */
async function compiled(name: string, fingerprint: string, durationMs: number, options = { os: 'local', late: false }) {
  const key = `${name}-${fingerprint}-${options.os}`
  const spec: CompileSpec = {
    ...{ key, name, fingerprint, source: 'sha256:s', dependencies: [], resources: {}, reuse: true },
    stemcell: { name: options.os, os: options.os, version: '1' },
  }
  const held = await claims.take([requests.claimKey(key)], { who: 'w', since: 1, message: '' })
  await held.release()
  const claim = { token: held.token, fence: options.late ? held.fence - 1 : held.fence }
  return requests.record({ key, digest: 'sha256:d', size: 1, durationMs, compiledAt: 1 }, claim, spec)
}

const tookOf = async (name: string, fingerprint: string, os = 'local') =>
  (await durations.find([{ name, fingerprint, os }]))[0]?.ms ?? null

describe('how long a package takes', () => {
  test('is what the same source took the last time, on whatever stemcell', async () => {
    await compiled('zlib', 'f1', 1200)
    expect(await tookOf('zlib', 'f1')).toBe(1200)
    expect(await tookOf('zlib', 'f1', 'another')).toBe(1200)
    await compiled('zlib', 'f1', 900, { os: 'another', late: false })
    expect(await tookOf('zlib', 'f1')).toBe(900)
  })

  test('is, for a source that was never compiled, what the last one of that name took on the same os, else unknown', async () => {
    await compiled('ruby', 'old', 60_000)
    expect(await tookOf('ruby', 'new')).toBe(60_000)
    const of = (fingerprint: string) => ({ name: 'ruby', fingerprint, os: 'local' })
    expect(await durations.find([of('old'), of('new')])).toMatchObject([{ sameSource: true }, { sameSource: false }])
    expect(await tookOf('ruby', 'new', 'another')).toBeNull()
    expect(await tookOf('perl', 'old')).toBeNull()
    await compiled('ruby', 'new', 70_000)
    expect([await tookOf('ruby', 'new'), await tookOf('ruby', 'old')]).toEqual([70_000, 60_000])
  })

  test('is answered in the order it is asked for, however many are asked for', async () => {
    await compiled('last', 'f', 5)
    const many = Array.from({ length: 2500 }, (_, i) => ({ name: `none${i}`, fingerprint: 'f', os: 'local' }))
    const found = await durations.find([...many, { name: 'last', fingerprint: 'f', os: 'local' }])
    expect(found.length).toBe(2501)
    expect(found.findIndex((ms) => ms !== null)).toBe(2500)
  })

  test('outlives the compiled package, and is not learnt from a compiler whose claim is over', async () => {
    await compiled('gone', 'f', 300)
    const index = new RedisCompiledIndex(redis, settings())
    await index.condemn(['gone-f-local'])
    expect(await index.forget(['gone-f-local'])).toEqual(['gone-f-local'])
    expect(await tookOf('gone', 'f')).toBe(300)
    expect(await compiled('gone', 'f', 999, { os: 'local', late: true })).toBe('superseded')
    expect(await tookOf('gone', 'f')).toBe(300)
  })

  test('is forgotten, the longest unused first, beyond a fixed number', async () => {
    await compiled('oldest', 'f', 1)
    const [hash, written] = durationKeys(settings())
    const pipeline = redis.pipeline()
    const now = Date.now() + 60_000
    for (let i = 0; i < keptDurations; i++) pipeline.hset(hash, `filler${i}`, 1).zadd(written, now + i, `filler${i}`)
    await pipeline.exec()
    await redis.zadd(written, now * 2, 'filler0')
    const last = await compiled('newest', 'f', 2)
    expect(last).toBe('recorded')
    expect(await redis.hlen(hash)).toBe(keptDurations)
    expect(await redis.zcard(written)).toBe(keptDurations)
    expect(await tookOf('oldest', 'f')).toBeNull()
    expect(await redis.hexists(hash, 'filler0')).toBe(1)
  })
})
