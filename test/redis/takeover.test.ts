import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { freePort } from '../../cli/stack/redis.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { checkRedis, watchRedis } from '../../shared/runtime/redis/rules.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, remodel } from '../support/plans.ts'

const ending: (() => Promise<unknown> | unknown)[] = []

afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

/** A server of the test's own; `lines` are lines of its configuration. */
async function serve(lines: string[], sentinel = false) {
  const folder = await mkdtemp(join(tmpdir(), 'remodel-takeover-'))
  const port = (await freePort())!
  const file = join(folder, 'redis.conf')
  const own = [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, ...lines]
  await writeFile(file, `${own.join('\n')}\n`)
  const child = spawn('redis-server', [file, ...(sentinel ? ['--sentinel'] : [])], { stdio: 'ignore' })
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  ending.push(() => rm(folder, { recursive: true, force: true }), kill)
  const probe = new Redis(port, '127.0.0.1', { retryStrategy: () => 20, maxRetriesPerRequest: null })
  probe.on('error', () => {})
  ending.push(() => probe.disconnect())
  await probe.ping()
  return { port, kill, redis: probe }
}

const durable = ['save ""', 'appendonly yes', 'appendfsync always']

describe('a Redis of a group with Sentinels', () => {
  test('whose primary is lost is followed to the replica that took over, and a plan goes on with fences of its own', async () => {
    const primary = await serve([...durable, 'min-replicas-to-write 1'])
    const replica = await serve([...durable, 'repl-diskless-sync-delay 0', `replicaof 127.0.0.1 ${primary.port}`])
    await vi.waitFor(
      async () => expect(await replica.redis.info('replication')).toContain('master_link_status:up'),
      10_000,
    )
    const watch = [`sentinel monitor main 127.0.0.1 ${primary.port} 1`, 'sentinel down-after-milliseconds main 500']
    const sentinel = await serve([...watch, 'sentinel failover-timeout main 2000'], true)
    await vi.waitFor(
      async () => expect(await sentinel.redis.call('SENTINEL', 'REPLICAS', 'main')).toHaveLength(1),
      15_000,
    )

    const settings = { url: `redis+sentinel://127.0.0.1:${sentinel.port}/main`, prefix: 'test' }
    const redis = connectRedis(settings, 'service')
    ending.push(() => redis.disconnect())
    expect(await checkRedis(redis, { allowWeak: false, replicated: true })).toEqual([])
    const ledger = new Ledger(redis, settings)
    const plan = await ledger.store(planOf('web', [remodel('a'), remodel('b', ['a'])]), Date.now())
    await ledger.open('web', plan.id, { by: person('test'), message: '' })
    const claim = async (id: string) => {
      const [result] = await ledger.claim('web', 'w1', [{ plan: plan.id, remodel: id, job: `${id} #1` }])
      if (result?.status !== 'claimed') throw new Error(`${id} is ${result?.status}`)
      return result.claim
    }
    const first = await claim('a')
    await redis.wait(1, 5000)
    await primary.kill()
    const done = ledger.complete('web', [{ plan: plan.id, remodel: 'a', fence: first.fence, outcome: 'done' }])
    expect(await done).toEqual([{ status: 'recorded' }])
    const second = await claim('b')
    expect(second.fence).toBeGreaterThan(first.fence)
    expect((await replica.redis.info('replication')).includes('role:master')).toBe(true)
  }, 60_000)
})

describe('the rules of Redis', () => {
  test('are asked of a primary whose place a replica may take: it writes nothing that no replica has', async () => {
    const { redis } = await serve(durable)
    await expect(checkRedis(redis, { allowWeak: false, replicated: true })).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('min-replicas-to-write is 0, should be 1 or more'),
    })
  })

  test('are refused where the service does not show its settings, and a warning where that is accepted', async () => {
    for (const hiding of ['rename-command CONFIG ""', 'user default on nopass ~* &* +@all -config']) {
      const { redis, port } = await serve([...durable, hiding])
      await expect(checkRedis(redis, { allowWeak: false })).rejects.toMatchObject({
        code: 'unsupported',
        message: expect.stringMatching(
          /does not show maxmemory-policy, appendonly, appendfsync: .*accept.* with REMODEL_ALLOW_WEAK_REDIS=1/i,
        ),
      })
      vi.stubEnv('REMODEL_ALLOW_WEAK_REDIS', '1')
      const settings = { url: `redis://127.0.0.1:${port}`, prefix: 'test' }
      const warnings: string[] = []
      const log = pino({}, { write: (line: string) => warnings.push(JSON.parse(line).msg) })
      await watchRedis(redis, settings, log)
      vi.unstubAllEnvs()
      expect(warnings).toEqual([expect.stringContaining('does not show maxmemory-policy')])
    }
  })

  test('are asked again when another Redis answers: a process does not go on with one that forgets', async () => {
    const { redis, port } = await serve(durable)
    const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never)
    const log = pino({ level: 'silent' })
    await watchRedis(redis, { url: `redis://127.0.0.1:${port}`, prefix: 'test' }, log)
    await redis.config('SET', 'appendfsync', 'no')
    await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'no').catch(() => {})
    await vi.waitFor(() => expect(exit).toHaveBeenCalledWith(1), 5000)
    exit.mockRestore()
    await sleep(0)
  })
})
