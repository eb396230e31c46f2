import { chmod, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import type { Event } from '../../shared/api/schemas/event.ts'
import { RedisCompiledIndex } from '../../shared/compilation/compiled.ts'
import { connectRedis, redisSettings } from '../../shared/runtime/redis.ts'
import { OwnRelease } from '../support/packaging.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'
import { deploySmall, planSmall, removeSmall, uploadSmall } from '../support/small.ts'

let stack: TestStack
let client: Client
let release: OwnRelease
let redis: Redis
let index: RedisCompiledIndex

beforeAll(async () => {
  stack = await startServices({ planner: 1, compiler: 2, assembler: 1 })
  client = stack.client()
  await uploadSmall(client)
  release = await OwnRelease.copy()
  const settings = redisSettings({ REDIS_URL: stack.redis.url })
  redis = connectRedis(settings, 'service')
  index = new RedisCompiledIndex(redis, settings)
})

afterAll(async () => {
  redis.disconnect()
  await stack.stop()
  await release.remove()
})

const apply = async (plan: string) => {
  await client.apply(plan, {})
  return settled(client, plan)
}

const compiles = (events: Event[]) =>
  events.filter(({ type, facts }) => type === 'remodel.done' && facts?.key !== undefined)

describe('a package', () => {
  test.for(['gone', 'broken'] as const)(
    'whose compiled bytes are %s is compiled again before anything that runs is taken down',
    async (how) => {
      await client.addStemcell({ name: 'local', os: 'local', version: how })
      const options = { name: `heals-${how}`, net: how === 'gone' ? 69 : 73, instances: 1, stemcell: how }
      expect((await deploySmall(client, options)).ended).toBe('done')
      const first = compiles(await client.events(options.name))
      const keys = first.map(({ facts }) => String(facts?.key))
      for (const { digest } of (await index.find(keys)).values()) {
        const path = join(stack.home, 'blobs', 'sha256', digest.slice(7, 9), digest.slice(9))
        if (how === 'gone') await rm(path)
        else {
          const { size } = await stat(path)
          await chmod(path, 0o600)
          await writeFile(path, 'x'.repeat(size))
        }
      }
      const { plan } = await planSmall(client, { ...options, recreate: true })
      expect(await apply(plan.id)).toBe('done')
      const events = (await client.events(options.name)).filter(({ plan: of }) => of === plan.id)
      const done = events.filter(({ type }) => type === 'remodel.done').map(({ remodel }) => remodel!.split(' ')[0]!)
      expect(done.filter((step) => step === 'compile-package')).not.toHaveLength(0)
      expect(done.lastIndexOf('compile-package')).toBeLessThan(done.findIndex((step) => /^(stop|delete)/.test(step)))
      expect(await removeSmall(client, options.name)).toBe('done')
    },
  )

  test('that was compiled after the plan was drawn is not compiled again', async () => {
    const [first, second] = await Promise.all(
      ['one', 'two'].map((name, n) => planSmall(client, { name, net: 64 + n, instances: 1 })),
    )
    expect(await apply(first!.plan.id)).toBe('done')
    expect(await apply(second!.plan.id)).toBe('done')
    const [one, two] = [compiles(await client.events('one')), compiles(await client.events('two'))]
    expect(one.map(({ facts }) => facts?.cached)).toEqual(Array(5).fill(false))
    expect(two.map(({ facts }) => [facts?.cached, facts?.vm])).toEqual(Array(5).fill([true, undefined]))
    for (const name of ['one', 'two']) expect(await removeSmall(client, name)).toBe('done')
  })

  test('whose script fails is reported with its last lines; what needs it is skipped, independent ones are compiled', async () => {
    const version = await release.with(client, {
      lib: 'echo "about to break"; echo "lib cannot be built" >&2; exit 3\n',
    })
    const { plan } = await planSmall(client, { name: 'broken', net: 66, instances: 1, stemcell: '2', release: version })
    expect(await apply(plan.id)).toBe('failed')
    const { status } = await client.planView(plan.id)
    expect(status.errors).toHaveLength(1)
    expect(status.errors[0]).toMatchObject({ code: 'job-failed', message: 'packaging of lib exited with 3' })
    expect(status.errors[0]?.log).toContain('lib cannot be built')
    const done = compiles(await client.events('broken')).map(({ remodel }) => remodel!.split(/[ /]/)[1])
    expect(done.sort()).toEqual(['base', 'extra', 'tool'])
    const failedOn = (await client.events('broken')).find(({ type }) => type === 'remodel.failed')
    expect(failedOn?.attempt).toBe(1)
    expect(await removeSmall(client, 'broken')).toBe('done')
  })

  test('is compiled on a machine of its own where machines are not reused', async () => {
    const version = await release.with(client, {
      lib: 'mkdir -p $BOSH_INSTALL_TARGET/share; cp lib/text $BOSH_INSTALL_TARGET/share/lib\n',
    })
    const { plan } = await planSmall(client, {
      name: 'fresh',
      net: 68,
      instances: 1,
      stemcell: '2',
      reuse: false,
      release: version,
    })
    expect(await apply(plan.id)).toBe('done')
    const vms = compiles(await client.events('fresh'))
      .filter(({ facts }) => facts?.cached === false)
      .map(({ facts }) => facts?.vm)
    expect(vms.length).toBeGreaterThan(0)
    expect(new Set(vms).size).toBe(vms.length)
    expect(await removeSmall(client, 'fresh')).toBe('done')
  })
})
