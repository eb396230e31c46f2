import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { remodel } from '../cli/remodel.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'
import { deploySmall, planSmall, removeSmall, uploadSmall } from '../support/small.ts'

const week = 8 * 24 * 3600 * 1000
let stack: TestStack
const client = () => stack.client()

beforeAll(async () => {
  stack = await startServices()
  await uploadSmall(client())
})
afterAll(async () => {
  await stack?.stop()
})

const root = () => join(stack.home, 'blobs/sha256')
async function digests(): Promise<string[]> {
  const found: string[] = []
  for (const head of await readdir(root()))
    for (const rest of await readdir(join(root(), head))) found.push(head + rest)
  return found.sort()
}

/** As if everything had been there for more than a week. */
async function grow(): Promise<void> {
  const old = new Date(Date.now() - week)
  for (const hex of await digests()) await utimes(join(root(), hex.slice(0, 2), hex.slice(2)), old, old).catch(() => {})
  await redis('eval', script, '0', String(Date.now() - week))
}
/** Times of uploads and compiles, which are in Redis. */
const script = `
for _, key in ipairs(redis.call('KEYS', '*:{supply}:uploaded')) do
  for _, id in ipairs(redis.call('HKEYS', key)) do redis.call('HSET', key, id, ARGV[1]) end
end
for _, key in ipairs(redis.call('KEYS', '*:{compile}:compiled')) do
  for _, id in ipairs(redis.call('HKEYS', key)) do
    local text = string.gsub(redis.call('HGET', key, id), '"compiledAt":%d+', '"compiledAt":' .. ARGV[1])
    redis.call('HSET', key, id, text)
  end
end
return 1`
async function redis(...args: string[]): Promise<void> {
  const child = spawn('redis-cli', ['-p', String(stack.redis.port), ...args], { stdio: 'ignore' })
  await once(child, 'exit')
}

async function garbage(text: string): Promise<string> {
  const bytes = Buffer.from(text)
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  await client().putBlob(digest, bytes)
  return digest
}

it('deletes blobs that no record names, keeps young ones and those that deployments need, and the next deploy changes nothing', async () => {
  expect((await deploySmall(client(), { name: 'keeper', net: 75, front: true })).ended).toBe('done')
  await garbage('no record names me')
  await grow()
  const young = await garbage('no record names me either, but I came just now')
  const before = await digests()
  const dry = await remodel(['clean-up', '--dry-run', '--json', '--planner', client().address.url])
  expect(JSON.parse(dry.stdout)).toMatchObject({ blobs: 1, releases: [], dryRun: true })
  expect(await digests()).toEqual(before)
  expect(await client().cleanUp({})).toEqual({
    releases: [],
    compiled: 0,
    blobs: 1,
    bytes: 18,
    kept: before.length - 1,
  })
  expect(await digests()).toHaveLength(before.length - 1)
  expect(await client().hasBlob(young)).toBe(true)
  expect((await planSmall(client(), { name: 'keeper', net: 75, front: true })).plan.remodels).toEqual([])
  // A new instance needs all of it: packages, rendered jobs, addresses.
  expect((await deploySmall(client(), { name: 'keeper', net: 75, front: true, instances: 3 })).ended).toBe('done')
})

it('a plan that is stored is carried out after a clean-up as if there had been none', async () => {
  const { plan } = await planSmall(client(), { name: 'later', net: 76, stemcell: '2' })
  await grow()
  await client().cleanUp({ all: true })
  await client().apply(plan.id, {})
  expect(await settled(client(), plan.id)).toBe('done')
  expect(await removeSmall(client(), 'later')).toBe('done')
})

it('with --all, compiled packages and releases that no deployment uses go, those of a deployment stay', async () => {
  const [release] = await client().releases()
  await client().addRelease({ ...release!, version: 'unused', jobs: [], packages: [] })
  await grow()
  expect(await client().cleanUp({})).toMatchObject({ releases: [], compiled: 0 })
  const cleaned = await client().cleanUp({ all: true })
  // Stemcell 2 was only used by the deployment that is gone.
  expect(cleaned).toMatchObject({ releases: ['small/unused'], compiled: 5 })
  expect(await client().cleanUp({ all: true })).toMatchObject({ releases: [], compiled: 0, blobs: 0 })
  const deployed = await planSmall(client(), { name: 'keeper', net: 75, front: true, instances: 3 })
  expect(deployed.plan.remodels).toEqual([])
  // Another greeting: a rendered job is trusted to be there for a minute, which `grow` does not know.
  const options = { name: 'later', net: 76, stemcell: '2', instances: 1, greeting: 'again' }
  const again = await deploySmall(client(), options)
  expect((await client().planView(again.plan.id)).status.errors).toEqual([])
  expect(again.plan.remodels.filter(({ step }) => step === 'compile-package')).toHaveLength(5)
  expect(again.ended).toBe('done')
  expect(await removeSmall(client(), 'later')).toBe('done')
})

it('clean-ups without pause take nothing away from deploys that run beside them, however old all is', async () => {
  let running = true
  const sweeping = (async () => {
    const cleaned = { sweeps: 0, compiled: 0, blobs: 0 }
    while (running) {
      await grow()
      const one = await client().cleanUp({ all: true })
      cleaned.sweeps++
      cleaned.compiled += one.compiled
      cleaned.blobs += one.blobs
    }
    return cleaned
  })()
  try {
    for (let round = 0; round < 3; round++) {
      const names = ['one', 'two', 'three'].map((name) => `${name}${round}`)
      const ended = await Promise.all(
        names.map(async (name, i) => {
          const options = { name, net: 77 + i, instances: 1, stemcell: String(1 + (i % 3)), greeting: `${name}` }
          const { ended } = await deploySmall(client(), options)
          return [ended, await removeSmall(client(), name)]
        }),
      )
      expect(ended).toEqual(Array(3).fill(['done', 'done']))
    }
  } finally {
    running = false
  }
  const cleaned = await sweeping
  expect(cleaned.sweeps).toBeGreaterThan(3)
  expect(cleaned.compiled).toBeGreaterThan(0)
  expect(await removeSmall(client(), 'keeper')).toBe('done')
})

it('an upload beside clean-ups is whole: what the planner said it has is not swept', async () => {
  let running = true
  const sweeping = (async () => {
    while (running) await client().cleanUp({ all: true })
  })()
  try {
    for (let round = 0; round < 5; round++) {
      await grow()
      await uploadSmall(client())
      const [release] = await client().releases()
      for (const { digest } of [...release!.jobs, ...release!.packages])
        expect(await client().hasBlob(digest)).toBe(true)
    }
  } finally {
    running = false
    await sweeping
  }
})
