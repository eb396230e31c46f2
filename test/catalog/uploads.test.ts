import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { takeRelease } from '../../services/planner/catalog/releases.ts'
import { Supply } from '../../services/planner/catalog/supply.ts'
import { PlanningSessions } from '../../services/planner/housekeeping/planning-sessions.ts'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import { RedisCompiledIndex } from '../../shared/compilation/compiled.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { refusal, temporaryFolder } from '../release/fixture.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let supply: Supply
const settings = () => ({ url: server.url, prefix: 'uploads' })

beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis(settings(), 'service')
  supply = new Supply(redis, settings())
})
beforeEach(() => redis.flushall())
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

test('a release is in the catalog only once all its bytes are here; those that are missing are named, each of them', async () => {
  const blobs = await DiskBlobstore.open(await temporaryFolder())
  const compiled = new RedisCompiledIndex(redis, settings())
  const parts = { supply, blobs, compiled, sessions: new PlanningSessions(redis, settings()) }
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
  expect(await supply.catalog()).toEqual([])
  await blobs.put(job)
  expect((await takeRelease(release, parts)).added).toBe(true)
  expect((await takeRelease(release, parts)).added).toBe(false)
  expect(await supply.catalog()).toEqual([{ name: 'shop', version: '1' }])
})

test('a stemcell of a version that is there is the same or refused, and the first one stays', async () => {
  const first = { name: 'jammy', os: 'ubuntu-jammy', version: '1' }
  expect([await supply.addStemcell(first), await supply.addStemcell({ ...first })]).toEqual([true, false])
  expect((await refusal(supply.addStemcell({ ...first, os: 'ubuntu-noble' }))).code).toBe('conflict')
  expect(await supply.stemcells()).toEqual([first])
})

test('a config that is asked for or deleted under a name that is not there is not found, with the names that are', async () => {
  const config = { type: 'cloud', name: 'default', content: 'azs: []' } as const
  await supply.putConfig(config)
  const message = 'there is no cloud config defualt; there is default'
  expect(await refusal(supply.config('cloud', 'defualt'))).toMatchObject({ code: 'not-found', message })
  expect(await refusal(supply.dropConfig('cloud', 'defualt'))).toMatchObject({ code: 'not-found', message })
  expect((await refusal(supply.config('runtime', 'default'))).message).toContain('none is stored')
  expect(await supply.dropConfig('cloud', 'default')).toEqual(config)
  expect(await supply.configs()).toEqual([])
})
