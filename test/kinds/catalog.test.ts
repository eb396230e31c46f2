import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Catalog } from '../../services/planner/catalog/catalog.ts'
import type { Release } from '../../shared/release/release.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { openTown, type Town } from '../reservation/town.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let town: Town
let catalog: Catalog

beforeAll(async () => {
  server = await startRedis()
  const settings = { url: server.url, prefix: 'test' }
  redis = connectRedis(settings, 'service')
  catalog = new Catalog(redis, settings)
  town = await openTown(settings)
})
afterAll(async () => {
  town.close()
  redis.disconnect()
  await server.stop()
})

/** As large as releases are: a hundred packages, ten jobs. */
const release = (name: string, version: string): Release => ({
  name,
  version,
  packages: Array.from({ length: 100 }, (_, i) => ({
    name: `package-${i}`,
    fingerprint: 'f'.repeat(64),
    dependencies: i === 0 ? [] : [`package-${i - 1}`],
    digest: `sha256:${'0'.repeat(64)}`,
  })),
  jobs: Array.from({ length: 10 }, (_, i) => ({
    name: `job-${i}`,
    fingerprint: 'f',
    digest: `sha256:${'0'.repeat(64)}`,
    packages: [],
    templates: {},
    properties: Object.fromEntries(
      Array.from({ length: 50 }, (_, n) => [`a.b${n}`, { description: 'what it is for' }]),
    ),
    provides: [],
    consumes: [],
  })),
})
const sent = async () => Number(/total_net_output_bytes:(\d+)/.exec(await redis.info('stats'))![1])

/** Bytes that Redis sends for the plan of a deployment with one release. */
async function bytesOfPlan(name: string): Promise<number> {
  const order = town.order(name)
  const content = order.manifest.content.replace('"releases":[]', '"releases":[{"name":"shop","version":"latest"}]')
  const before = await sent()
  const plan = await town.planning.plan({ ...order, manifest: { ...order.manifest, content } })
  expect(plan.remodels.length).toBeGreaterThan(0)
  return (await sent()) - before
}

test('planning reads only the releases that its manifest names, in the version that it means, however many were uploaded', async () => {
  const upload = async (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      await catalog.addRelease(release(`other-${i}`, '1'))
      await catalog.addRelease(release('shop', `${i}`))
    }
  }
  await upload(0, 5)
  await bytesOfPlan('warm')
  const few = await bytesOfPlan('few')
  await upload(5, 150)
  const many = await bytesOfPlan('many')
  expect(many / few).toBeLessThan(1.2)
}, 60_000)

test('releases that are uploaded at the same time are all there, and of one version exactly one is', async () => {
  const small = (name: string, fingerprint = 'f') => ({
    ...release(name, '1'),
    packages: [{ name: 'p', fingerprint, dependencies: [], digest: 'sha256:0' }],
  })
  const same = await Promise.all(Array.from({ length: 20 }, () => catalog.addRelease(small('same'))))
  expect(same.filter(({ added }) => added)).toHaveLength(1)
  const others = Array.from({ length: 20 }, (_, i) => catalog.addRelease(small('rivals', `f${i}`)))
  const settled = await Promise.allSettled(others)
  expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  for (const one of settled) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'conflict' })
  await Promise.all(Array.from({ length: 20 }, (_, i) => catalog.addRelease(small(`each-${i}`))))
  const names = (await catalog.releaseIds()).map(({ name }) => name)
  expect(names.filter((name) => /^(same|rivals|each-\d+)$/.test(name))).toHaveLength(22)
})
