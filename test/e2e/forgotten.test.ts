import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { fresh } from '../support/fresh.ts'
import { startServices, type TestStack } from '../support/services.ts'
import { deploySmall, planSmall, removeSmall, uploadSmall } from '../support/small.ts'

// Two deploys and a restart of Redis each, on a machine that may be busy.
const timeout = 240_000

/**
 * Redis comes back as it was before a deployment was made: machines and disks stand, and no plan and
 * no floorplan names them.
 */

let stack: TestStack
let client: Client

beforeAll(async () => {
  stack = await startServices()
  client = stack.client()
  await uploadSmall(client)
})
afterAll(() => stack.stop())

const owned = async (name: string) => {
  const owner = `deployment/${name}`
  const [vms, disks] = await Promise.all([stack.provider.listVms({ owner }), stack.provider.listDisks({ owner })])
  return [...vms, ...disks].map(({ id }) => id).sort()
}

/** Deploys, and has Redis forget it. */
async function forget(net: number) {
  const name = fresh('forgotten')
  const options = { name, net, front: true }
  const restore = await stack.redis.remember()
  expect((await deploySmall(client, options)).ended).toBe('done')
  const stood = await owned(name)
  expect(stood).toHaveLength(5)
  await restore()
  await expect.poll(() => client.deployments().catch(() => null), { timeout: 30_000 }).toEqual([])
  return { options, name, stood }
}

test('what Redis has forgotten is taken up and recorded by the next deploy, and nothing of it is made again', {
  timeout,
}, async () => {
  const { options, name, stood } = await forget(67)
  expect((await deploySmall(client, options)).ended).toBe('done')
  expect(await owned(name)).toEqual(stood)
  const settings = { url: stack.redis.url, prefix: 'remodel' }
  const redis = connectRedis(settings, 'service')
  try {
    const { materials } = await new Ledger(redis, settings).floorplan(name)
    const recorded = materials.flatMap(({ id, meta }) =>
      id.startsWith('vm/') ? [id.slice(3)] : id.startsWith('disk/') ? [String(meta.cid)] : [],
    )
    expect(recorded.sort()).toEqual(stood)
  } finally {
    redis.disconnect()
  }
  expect((await planSmall(client, options)).plan.remodels).toEqual([])
  expect(await removeSmall(client, name)).toBe('done')
  expect(await owned(name)).toEqual([])
})

test('what Redis has forgotten can be removed, and leaves nothing; what was never there is not found', {
  timeout,
}, async () => {
  const { name } = await forget(68)
  expect(await removeSmall(client, name)).toBe('done')
  expect(await owned(name)).toEqual([])
  await expect(client.planRemoval('never-there')).rejects.toMatchObject({ code: 'not-found' })
})
