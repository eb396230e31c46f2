import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineStep, type StepContext } from '../../kinds/contract/step.ts'
import { execute, type Tools } from '../../services/assembler/executor.ts'
import { Hands } from '../../services/assembler/hands.ts'
import { startPaying } from '../../services/planner/dispatch/owing.ts'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import { RedisCompiledIndex } from '../../shared/compilation/compiled.ts'
import { Aborts } from '../../shared/ledger/aborts.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { OwedFences } from '../../shared/ledger/owed.ts'
import { Recorder } from '../../shared/ledger/recorder.ts'
import { LocalProvider } from '../../shared/provider/local/index.ts'
import { EndedJobs } from '../../shared/queue/ended-jobs.ts'
import { Heartbeat } from '../../shared/runtime/heartbeat.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { Secrets } from '../../shared/runtime/secrets.ts'
import { person } from '../support/actors.ts'
import { planOf, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

/** What others end is fenced off: a worker that hears of nothing, as one that is frozen, changes nothing any more. */

let server: TestRedis
let home: string
let ledger: Ledger
let provider: LocalProvider
let stemcell: string
let blobs: DiskBlobstore
const connections: Redis[] = []
const settings = () => ({ url: server.url, prefix: 'test' })
const log = pino({ level: 'silent' })
const never = new AbortController().signal
let counter = 0

function connection(): Redis {
  const redis = connectRedis(settings(), 'service')
  connections.push(redis)
  return redis
}

beforeAll(async () => {
  server = await startRedis()
  home = await mkdtemp(join(tmpdir(), 'remodel-late-'))
  ledger = new Ledger(connection(), settings())
  provider = new LocalProvider({ directory: join(home, 'machines') })
  stemcell = await provider.importStemcell({ name: 'local', version: '1' })
  blobs = await DiskBlobstore.open(join(home, 'blobs'))
})

afterAll(async () => {
  for (const { id } of await provider.listVms()) await provider.deleteVm(id, null)
  for (const redis of connections) redis.disconnect()
  await server.stop()
  await rm(home, { recursive: true, force: true })
})

/** A worker that hears of no cancellation. */
async function worker(name: string, apply: (context: StepContext) => Promise<void>): Promise<Tools> {
  const step = defineStep({
    input: z.unknown(),
    look: async () => null,
    apply,
    verify: async () => ({ floorplan: {} }),
  })
  const redis = connection()
  const own = new Ledger(redis, settings())
  return {
    provider,
    owed: new OwedFences(own, provider),
    blobs,
    compiled: new RedisCompiledIndex(redis, settings()),
    stores: { redis, settings: settings(), blobs },
    steps: { find: async () => step },
    heartbeat: new Heartbeat(ledger.redis, settings(), 'w'),
    ledger: own,
    recorder: new Recorder(own, name),
    aborts: new Aborts(redis, own),
    leaving: { begun: false, signal: new AbortController().signal },
    secrets: await Secrets.open(home),
    hands: new Hands(own),
    worker: name,
    board: new EndedJobs(redis, settings()),
    log,
  }
}

async function run(vm: string, script: string, context?: StepContext): Promise<string> {
  const machine = await (context?.provider ?? provider).connect(vm, context?.fence ?? null)
  try {
    return (await machine.exec(['sh', '-c', script])).stdout
  } finally {
    machine.close()
  }
}

const vms = async (deployment: string) => {
  const ids = [`${deployment}-a`, `${deployment}-b`] as const
  for (const id of ids) {
    const ownership = { owner: `deployment/${deployment}`, purpose: 'test' }
    const machine = { stemcell, addresses: [], network: 'none' as const, resources: {} }
    await provider.createVm({ id, ...machine, ownership }, { scope: `${deployment}:vm`, number: 1 })
  }
  return ids
}

async function open(
  deployment: string,
  id: string,
  more = {},
): Promise<{ plan: string; job: Parameters<typeof execute>[0] }> {
  const { version } = await ledger.floorplan(deployment)
  const stored = await ledger.store(planOf(deployment, [remodel(id, [], more)], { version }), Date.now())
  expect(await ledger.open(deployment, stored.id, { by: person('test'), message: '' })).toEqual({ status: 'ok' })
  return { plan: stored.id, job: { deployment, plan: stored.id, remodel: id, release: 1 } }
}

/** A worker is in the middle of a hook on the first machine of a deployment, and is ended by force. */
async function endedInTheMiddle(seconds: number) {
  const deployment = `late${++counter}`
  const [vm, other] = await vms(deployment)
  const { plan, job } = await open(deployment, 'web')
  const script = `touch /tmp/begun; sleep ${seconds}; touch /tmp/late`
  const ending = execute(
    job,
    'assemble',
    never,
    await worker('frozen', async (context) => void (await run(vm, script, context))),
  ).catch((error) => error)
  await expect.poll(() => run(vm, 'ls /tmp'), { timeout: 10_000 }).toContain('begun')
  const leftBehind = async () => {
    await ending
    await sleep(100)
    return run(vm, 'ls /tmp')
  }
  return { deployment, plan, vm, other, ending, leftBehind }
}

describe('an attempt that was ended by a forced unlock', () => {
  test('is ended at its machine by the planner, though no other plan comes', async () => {
    const paying = await startPaying({
      ...{ ledger, owed: new OwedFences(ledger, provider), planners: { falls: () => true } },
      ...{ subscriber: connection(), log },
    })
    const { deployment, plan, leftBehind } = await endedInTheMiddle(2)
    await ledger.cancel(deployment, plan, person('a person'), true)
    await expect.poll(() => ledger.owed(deployment), { timeout: 5000 }).toEqual([])
    expect(await leftBehind()).toBe('begun\n')
    paying.stop()
  })

  test('is ended at its machine before the next plan of the deployment touches any other', async () => {
    const { deployment, plan, vm, other, leftBehind } = await endedInTheMiddle(3)
    await ledger.cancel(deployment, plan, person('a person'), true)
    expect(await ledger.owed(deployment)).toMatchObject([{ material: 'thing/web', left: null }])
    const { job } = await open(deployment, 'db')
    let running = ''
    const next = await worker('second', async (context) => {
      running = await run(vm, 'ps -e -o args= | grep -c "[t]ouch /tmp/late" || true')
      await run(other, 'true', context)
    })
    expect(await execute(job, 'assemble', never, next)).toBe('done')
    expect(running.trim()).toBe('0')
    expect(await ledger.owed(deployment)).toEqual([])
    expect(await leftBehind()).toBe('begun\n')
  })

  test('holds up nothing where its machine does not answer, and a step that reaches that machine shows the fence first', {
    timeout: 60_000,
  }, async () => {
    const { deployment, plan, vm, other, ending } = await endedInTheMiddle(30)
    const agent = Number((await readFile(join(home, 'machines/vms', vm, 'pid'), 'utf8')).split(' ')[0])
    process.kill(agent, 'SIGSTOP')
    await ledger.cancel(deployment, plan, person('a person'), true)
    const elsewhere = await worker('second', async (context) => void (await run(other, 'true', context)))
    expect(await execute((await open(deployment, 'db')).job, 'assemble', never, elsewhere)).toBe('done')
    expect(await ledger.owed(deployment)).toMatchObject([{ material: 'thing/web', left: [vm] }])
    process.kill(agent, 'SIGCONT')
    const there = await worker('third', async (context) => void (await run(vm, 'touch /tmp/third', context)))
    expect(await execute((await open(deployment, 'disk')).job, 'assemble', never, there)).toBe('done')
    expect(await ledger.owed(deployment)).toEqual([])
    await ending
    expect(await run(vm, 'ls /tmp')).toBe('begun\nthird\n')
  })
})
