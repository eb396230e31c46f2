import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'bullmq'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { deploymentOf } from '../../shared/ledger/keys.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { Queues, queuePrefix } from '../../shared/queue/queues.ts'
import { watchRedis } from '../../shared/runtime/redis/rules.ts'
import { connectRedis, settingsFor } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, remodel } from '../support/plans.ts'
import { freePort } from '../support/redis.ts'
import { clusterUrl, type Member, moveSlot, startCluster, startNode } from '../support/redis-cluster.ts'

const ending: (() => Promise<unknown> | unknown)[] = []

afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

/** Carries a chain of `length` remodels out; a third of it is done before `then` and the rest after it. */
async function carryOut(settings: ReturnType<typeof settingsFor>, length: number, then: () => Promise<unknown>) {
  const redis = connectRedis(settings, 'service')
  ending.push(() => redis.disconnect())
  const ledger = new Ledger(redis, settings)
  const ids = Array.from({ length }, (_, i) => `r${i}`)
  const drawn = planOf(
    'web',
    ids.map((id, i) => remodel(id, i === 0 ? [] : [ids[i - 1]!])),
  )
  const { id: plan } = await ledger.store(drawn, Date.now())
  expect(await ledger.open('web', plan, { by: person('test'), message: '' })).toEqual({ status: 'ok' })
  const fences: number[] = []
  for (const [i, id] of ids.entries()) {
    if (i === Math.floor(length / 3)) await then()
    const [result] = await ledger.claim('web', 'w', [{ plan, remodel: id, job: `${id} #1` }])
    if (result?.status !== 'claimed') throw new Error(`${id} is ${result?.status}`)
    fences.push(result.claim.fence)
    const report = { plan, remodel: id, fence: result.claim.fence, outcome: 'done' as const }
    expect(await ledger.complete('web', [report])).toEqual([{ status: 'recorded' }])
    await sleep(5)
  }
  expect((await ledger.planRecord('web', plan)).state).toBe('done')
  expect(fences).toEqual([...fences].sort((a, b) => a - b))
  expect(new Set(fences).size).toBe(length)
  return redis
}

describe('a Redis Cluster', () => {
  let first: Member
  let second: Member
  let third: Member

  beforeEach(async () => {
    const nodes = await startCluster(ending, 3)
    ;[first, second, third] = nodes as [Member, Member, Member]
  }, 60_000)

  test('has all keys of an installation in one slot, whichever node is asked first', async () => {
    const settings = settingsFor(clusterUrl(third), 'test')
    const redis = await carryOut(settings, 3, async () => {})
    const queues = new Queues(redis, settings)
    await queues.get('assemble').add('one', { deployment: 'web', plan: 'p', remodel: 'r', release: 1 } as never)
    const done = Promise.withResolvers<void>()
    const worker = new Worker('assemble', async () => done.resolve(), {
      connection: redis,
      prefix: queuePrefix(settings),
    })
    ending.push(() => worker.close())
    await done.promise
    await worker.close()
    const keys = await first.redis.keys('*')
    expect(keys.length).toBeGreaterThan(10)
    expect(keys.filter((key) => !key.startsWith('{test}:'))).toEqual([])
    expect(await second.redis.dbsize()).toBe(0)
    expect(deploymentOf(new Ledger(redis, settings).base('web'))).toBe('web')
    await queues.close()
  }, 60_000)

  test('whose slot is moved while a plan is carried out is followed, and nothing is done twice', async () => {
    const settings = settingsFor(clusterUrl(first), 'test')
    const slot = Number(await first.redis.cluster('KEYSLOT', settings.prefix))
    let moving: Promise<void> | undefined
    await carryOut(settings, 30, async () => {
      moving = moveSlot(slot, first, second)
    })
    await moving
    expect(await first.redis.dbsize()).toBe(0)
    expect(await second.redis.dbsize()).toBeGreaterThan(5)
  }, 60_000)

  test('whose node with the keys dies is followed to the replica that takes over', async () => {
    const settings = settingsFor(clusterUrl(first, second), 'test')
    // Three primaries vote; the node with the keys has a replica.
    for (const [n, to] of [second, third].entries()) {
      for (const slot of [n * 2, n * 2 + 1]) await moveSlot(slot, first, to)
    }
    const replica = await startNode(ending)
    await replica.redis.call('CLUSTER', 'MEET', '127.0.0.1', first.port, first.bus)
    await vi.waitFor(() => replica.redis.call('CLUSTER', 'REPLICATE', first.id), 30_000)
    // Those that vote, and the replica, have heard of each other.
    const nodes = async ({ redis }: Member) => String(await redis.call('CLUSTER', 'NODES'))
    await vi.waitFor(async () => {
      expect(await replica.redis.info('replication')).toContain('master_link_status:up')
      expect(await replica.redis.call('CLUSTER', 'INFO')).toContain('cluster_state:ok')
      for (const member of [first, second, third]) expect(await nodes(member)).toMatch(`slave ${first.id}`)
      for (const { id } of [second, third]) expect(await nodes(replica)).toMatch(id)
      expect(await nodes(replica)).not.toMatch(/handshake|fail/)
    }, 60_000)
    await carryOut(settings, 30, async () => {
      // Nothing that was acknowledged is lost with it.
      expect(await first.redis.wait(1, 0)).toBe(1)
      await first.kill()
    })
    expect(await replica.redis.info('replication')).toContain('role:master')
  }, 180_000)

  test('of which no node answers for a while is asked again until one does', async () => {
    const port = await freePort()
    const redis = connectRedis(settingsFor(`redis+cluster://127.0.0.1:${port}`, 'test'), 'service')
    ending.push(() => redis.disconnect())
    const answer = redis.get('{test}:nothing')
    const failures = vi.fn()
    redis.on('end', failures)
    const once = connectRedis(settingsFor(`redis+cluster://127.0.0.1:${port}`, 'test'), 'request', {
      lazyConnect: true,
      retryStrategy: () => null,
    })
    await expect(once.connect()).rejects.toThrow('no node of the cluster')
    const late = await startNode(ending, [], port)
    await late.redis.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383)
    expect(await answer).toBeNull()
    expect(failures).not.toHaveBeenCalled()
  }, 60_000)

  test('is refused where one server is named, and one server where a cluster is named', async () => {
    const log = pino({ level: 'silent' })
    const single = { url: `redis://127.0.0.1:${first.port}`, prefix: 'test' }
    const redis = connectRedis(single, 'service')
    ending.push(() => redis.disconnect())
    await expect(watchRedis(redis, single, log)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('name the cluster by redis+cluster://'),
    })
    const alone = await startNode(ending, ['--cluster-enabled', 'no'])
    const named = settingsFor(clusterUrl(alone), 'test')
    const other = connectRedis(named, 'service')
    ending.push(() => other.disconnect())
    await expect(watchRedis(other, named, log)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('is no node of a cluster'),
    })
  }, 60_000)
})
