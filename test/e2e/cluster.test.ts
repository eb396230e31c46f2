import { afterEach, expect, test } from 'vitest'
import { settingsFor } from '../../shared/runtime/redis.ts'
import { clusterUrl, moveSlot, startCluster } from '../support/redis-cluster.ts'
import { settled, startServices } from '../support/services.ts'
import { deploySmall, planSmall, removeSmall, uploadSmall } from '../support/small.ts'

const ending: (() => Promise<unknown> | unknown)[] = []

afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

test('services on a Redis Cluster deploy, also while the slot of their keys is moved to another node', async () => {
  const [first, second] = await startCluster(ending, 2)
  const url = clusterUrl(first!, second!)
  const stack = await startServices(undefined, { REDIS_URL: url })
  ending.push(() => stack.stop())
  const client = stack.client()
  await uploadSmall(client)
  const options = { name: 'clustered', net: 83, instances: 2 }
  expect((await deploySmall(client, options)).ended).toBe('done')
  expect(await second!.redis.dbsize()).toBe(0)

  const { plan } = await planSmall(client, { ...options, greeting: 'moved' })
  await client.apply(plan.id, {})
  const slot = Number(await first!.redis.cluster('KEYSLOT', settingsFor(url, 'remodel').prefix))
  await moveSlot(slot, first!, second!)
  expect(await settled(client, plan.id)).toBe('done')
  expect(await first!.redis.dbsize()).toBe(0)
  expect(await removeSmall(client, 'clustered')).toBe('done')
}, 180_000)
