import '../sim/hook.ts'
import { mkdtemp, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { Catalog } from '../../services/planner/catalog/catalog.ts'
import { takeRelease } from '../../services/planner/catalog/releases.ts'
import { type Cleaned, type CleanParts, cleanUp } from '../../services/planner/housekeeping/clean-up.ts'
import { cleanParts } from '../../services/planner/housekeeping/schedule.ts'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import type { Release } from '../../shared/release/release.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { onFailpoint } from '../sim/hook.ts'
import { openKinds } from '../support/kinds.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

const weekMs = 7 * 24 * 3_600_000
let server: TestRedis
let redis: Redis
let home: string
let blobs: DiskBlobstore
let parts: CleanParts
let release: Release

beforeAll(async () => {
  server = await startRedis()
  home = await mkdtemp(join(tmpdir(), 'remodel-cleaning-'))
  blobs = await DiskBlobstore.open(home)
  const settings = { url: server.url, prefix: 'test' }
  redis = connectRedis(settings, 'service')
  const catalog = new Catalog(redis, settings)
  parts = cleanParts({ ledger: new Ledger(redis, settings), catalog, blobs, kinds: await openKinds(), planner: 'p' })
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
  await rm(home, { recursive: true, force: true })
})

/** A release with one package, in source and compiled, that was uploaded long ago and that no deployment uses. */
beforeEach(async () => {
  await redis.flushall()
  const [{ digest }, compiled] = [await blobs.put(Buffer.from('source')), await blobs.put(Buffer.from('compiled'))]
  const about = { name: 'tool', fingerprint: 'f', dependencies: [] }
  release = {
    name: 'shop',
    version: '1',
    packages: [{ ...about, digest }],
    jobs: [],
    compiledPackages: [{ ...about, stemcell: 'jammy/1', digest: compiled.digest }],
  }
  await takeRelease(release, parts)
  const then = new Date(Date.now() - 2 * weekMs)
  await redis.hset('test:{supply}:uploaded', 'shop/1', then.getTime())
  for (const [key, text] of Object.entries(await redis.hgetall('test:{compile}:compiled')))
    await redis.hset('test:{compile}:compiled', key, text.replace(/"compiledAt":\d+/, '"compiledAt":1'))
  for await (const blob of blobs.list()) {
    const hex = blob.digest.slice('sha256:'.length)
    await utimes(join(home, 'sha256', hex.slice(0, 2), hex.slice(2)), then, then)
  }
})
afterEach(() => onFailpoint(undefined))

/** A clean-up in which `work` is done at the failpoint `at`. */
async function cleanedWith(at: string, work: () => Promise<unknown>): Promise<Cleaned> {
  let worked: Promise<unknown> | undefined
  onFailpoint((name) => {
    if (name !== at || worked) return undefined
    worked = work()
    return worked.then(() => {})
  })
  const cleaned = await cleanUp(parts, { ageMs: weekMs, all: true, dryRun: false })
  expect(worked, `${at} was reached`).toBeDefined()
  return cleaned
}

/** What a user may count on once his upload has been answered. */
async function expectWhole(): Promise<void> {
  expect(await parts.catalog.releases()).toEqual([release])
  expect(await parts.compiled.all()).toHaveLength(1)
  for (const { digest } of [...release.packages, ...release.compiledPackages!])
    expect(await blobs.has(digest)).toBe(true)
}

test('a release that is old and unused goes, with its compiled package and all blobs', async () => {
  const cleaned = await cleanedWith('cleaning.marked-again', async () => {})
  expect(cleaned).toMatchObject({ releases: ['shop/1'], compiled: 1, blobs: 2, kept: 0 })
  expect(await parts.catalog.uploadTimes()).toEqual(new Map())
  expect(await redis.keys('*:condemned')).toEqual([])
})

test.for([
  'cleaning.condemned',
  'cleaning.marked-again',
  'cleaning.releases-forgotten',
  'cleaning.dropped',
  'cleaning.marked',
])('a release that is uploaded at %s is whole afterwards', async (point) => {
  await cleanedWith(point, async () => {
    for (const content of ['source', 'compiled']) await blobs.put(Buffer.from(content))
    await takeRelease(release, parts)
  })
  await expectWhole()
})

test('a release that is being taken in when its packages are condemned is whole afterwards', async () => {
  const [learnt, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const order: string[] = []
  onFailpoint((name) => {
    order.push(name)
    if (name === 'cleaning.marked-again') held.resolve()
    if (name !== 'releases.learnt') return undefined
    learnt.resolve()
    return held.promise
  })
  const taken = takeRelease(release, parts).then(() => order.push('taken'))
  await learnt.promise
  const cleaning = cleanUp(parts, { ageMs: weekMs, all: true, dryRun: false })
  // The upload of before each test, this one, and the clean-up that has begun to wait for it.
  while (!order.includes('taken') && Number(await redis.get('test:{supply}:drawings:number')) < 3) await sleep(5)
  held.resolve()
  await Promise.all([cleaning, taken])
  expect(order.slice(0, 4)).toEqual(['releases.learnt', 'cleaning.condemned', 'taken', 'cleaning.marked-again'])
  await expectWhole()
})

test.for(['cleaning.condemned', 'cleaning.marked-again'])(
  'a release that a plan is drawn with at %s is whole afterwards',
  async (point) => {
    const cleaned = await cleanedWith(point, async () => {
      const { releases } = await parts.catalog.view([], (releaseIds) => releaseIds)
      expect(releases).toEqual([release])
    })
    expect(cleaned).toMatchObject({ releases: [], compiled: 0, blobs: 0 })
    await expectWhole()
  },
)
