import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Catalog } from '../../services/planner/catalog/catalog.ts'
import { takeRelease } from '../../services/planner/catalog/releases.ts'
import { PlanningSessions } from '../../services/planner/housekeeping/planning-sessions.ts'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import { RedisCompiledIndex } from '../../shared/compilation/compiled.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { refusal, temporaryFolder } from '../release/fixture.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let catalog: Catalog
const settings = () => ({ url: server.url, prefix: 'uploads' })

beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis(settings(), 'service')
  catalog = new Catalog(redis, settings())
})
beforeEach(() => redis.flushall())
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

test('a release is in the catalog only once all its bytes are here; those that are missing are named, each of them', async () => {
  const blobs = await DiskBlobstore.open(await temporaryFolder())
  const compiled = new RedisCompiledIndex(redis, settings())
  const parts = { catalog, blobs, compiled, sessions: new PlanningSessions(redis, settings()) }
  const [source, job] = [Buffer.from('source'), Buffer.from('job')]
  const { digest } = await blobs.put(source)
  const other = await DiskBlobstore.open(await temporaryFolder())
  const missing = (await other.put(job)).digest
  const about = { fingerprint: 'f', dependencies: [] }
  const release = {
    name: 'shop',
    version: '1',
    packages: [
      { name: 'here', ...about, digest },
      { name: 'absent', ...about, digest: missing },
    ],
    jobs: [],
    compiledPackages: [],
  }
  const refused = await refusal(takeRelease(release, parts))
  expect([refused.code, refused.details]).toEqual(['not-found', { missing: ['packages/absent'] }])
  expect(await catalog.releaseIds()).toEqual([])
  await blobs.put(job)
  expect((await takeRelease(release, parts)).added).toBe(true)
  expect((await takeRelease(release, parts)).added).toBe(false)
  expect(await catalog.releaseIds()).toEqual([{ name: 'shop', version: '1' }])
})

test('a stemcell of a version that is there is the same or refused, and the first one stays', async () => {
  const first = { name: 'jammy', os: 'ubuntu-jammy', version: '1' }
  expect([await catalog.addStemcell(first), await catalog.addStemcell({ ...first })]).toEqual([true, false])
  expect((await refusal(catalog.addStemcell({ ...first, os: 'ubuntu-noble' }))).code).toBe('conflict')
  expect(await catalog.stemcells()).toEqual([first])
})

test('a config that is asked for or deleted under a name that is not there is not found, with the names that are', async () => {
  const config = { type: 'cloud', name: 'default', content: 'azs: []' } as const
  await catalog.putConfig(config)
  const message = 'there is no cloud config defualt; there is default'
  expect(await refusal(catalog.config('cloud', 'defualt'))).toMatchObject({ code: 'not-found', message })
  expect(await refusal(catalog.dropConfig('cloud', 'defualt'))).toMatchObject({ code: 'not-found', message })
  expect((await refusal(catalog.config('runtime', 'default'))).message).toContain('none is stored')
  expect(await catalog.dropConfig('cloud', 'default')).toEqual(config)
  expect(await catalog.configs()).toEqual([])
})
