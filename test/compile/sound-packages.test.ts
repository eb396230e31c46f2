import { chmod, mkdtemp, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import { type CompiledPackage, RedisCompiledIndex } from '../../shared/compilation/compiled.ts'
import { SoundPackages } from '../../shared/compilation/sound-packages.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let folder: string
let blobs: DiskBlobstore
let index: RedisCompiledIndex
let item: CompiledPackage
let number = 0

beforeAll(async () => {
  server = await startRedis()
  const settings = { url: server.url, prefix: 'test' }
  redis = connectRedis(settings, 'service')
  index = new RedisCompiledIndex(redis, settings)
  folder = await mkdtemp(join(tmpdir(), 'remodel-sound-'))
  blobs = await DiskBlobstore.open(folder)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})
beforeEach(async () => {
  const bytes = Buffer.from(`compiled ${++number}`)
  item = { key: `k${number}`, ...(await blobs.put(bytes)), durationMs: 1, compiledAt: 1 }
  await index.learn([item])
})

const path = () => join(folder, 'sha256', item.digest.slice(7, 9), item.digest.slice(9))
const overwrite = async (content: string) => {
  await chmod(path(), 0o600)
  await writeFile(path(), content)
}
const sound = (read: boolean) => new SoundPackages(index, blobs, { read })
const finds = async (packages: SoundPackages) => [...(await packages.find([item.key])).values()]

describe('a compiled package', () => {
  test('whose blob is there and whole is found, and its blob is kept', async () => {
    await utimes(path(), 1000, 1000)
    expect(await finds(sound(true))).toEqual([item])
    expect((await stat(path())).mtimeMs).toBeGreaterThan(Date.now() - 60_000)
  })

  test.for([true, false])('whose blob is gone or cut off counts as not compiled, for all (read: %s)', async (read) => {
    await chmod(path(), 0o600)
    await truncate(path(), 3)
    expect(await finds(sound(read))).toEqual([])
    expect(await index.find([item.key])).toEqual(new Map())
    await index.learn([item])
    await rm(path(), { force: true })
    expect(await finds(sound(read))).toEqual([])
    expect(await index.find([item.key])).toEqual(new Map())
  })

  test('whose bytes changed in their place counts as not compiled for a reader, though it was whole before', async () => {
    const packages = sound(true)
    expect(await finds(packages)).toEqual([item])
    await overwrite('x'.repeat(item.size))
    expect(await finds(packages)).toEqual([])
    expect(await blobs.has(item.digest)).toBe(false)
  })

  test('that was compiled again meanwhile is not taken out', async () => {
    await index.drop({ ...item, digest: `sha256:${'0'.repeat(64)}` })
    expect(await index.find([item.key])).toEqual(new Map([[item.key, item]]))
  })
})
