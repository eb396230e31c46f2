import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { carryOut, type Tools } from '../../services/assembler/carry.ts'
import { defineStep } from '../../services/assembler/steps/step.ts'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import { RedisCompiledIndex } from '../../shared/compile/compiled.ts'
import { Aborts } from '../../shared/ledger/aborts.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { Recorder } from '../../shared/ledger/recorder.ts'
import { Archives } from '../../shared/postgres/archive/archives.ts'
import { LocalProvider } from '../../shared/provider/local/index.ts'
import { connectRedis } from '../../shared/redis.ts'
import { planOf, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let home: string
let ledger: Ledger
const settings = () => ({ url: server.url, prefix: 'test' })

beforeAll(async () => {
  server = await startRedis()
  home = await mkdtemp(join(tmpdir(), 'remodel-carry-'))
  ledger = new Ledger(connectRedis(settings(), 'service'), settings())
})

afterAll(async () => {
  ledger.redis.disconnect()
  await server.stop()
  await rm(home, { recursive: true, force: true })
})

/** An assembler's half that carries out jobs; `apply` is what every step does. */
async function toolsWith(apply: () => Promise<void>): Promise<Tools> {
  const step = defineStep({
    input: z.unknown(),
    look: async () => null,
    apply,
    verify: async ({ material }) => ({ floorplan: { [material]: { attributes: {}, version: '1' } as never } }),
  })
  return {
    provider: new LocalProvider({ directory: join(home, 'machines') }),
    blobs: await DiskBlobstore.open(join(home, 'blobs')),
    compiled: new RedisCompiledIndex(ledger.redis, settings()),
    archives: new Archives(ledger.redis, settings()),
    steps: { find: async () => step },
    ledger,
    recorder: new Recorder(ledger, 'w'),
    aborts: new Aborts(ledger.redis),
    leaving: () => false,
    log: pino({ level: 'silent' }),
  }
}

async function open(deployment: string, drafts = [remodel('a')]): Promise<string> {
  const plan = await ledger.store(planOf(deployment, drafts), Date.now())
  await ledger.open(deployment, plan.id, { holder: 'test', message: '' })
  return plan.id
}

const never = new AbortController().signal

test('a job goes on to what it made ready, and reports each', async () => {
  const plan = await open('chain', [remodel('a'), remodel('b', ['a'])])
  const job = { deployment: 'chain', plan, remodel: 'a', release: 1 }
  expect(await carryOut(job, 'assemble', never, await toolsWith(async () => {}))).toBe('done; b: done')
  expect((await ledger.planRecord('chain', plan)).state).toBe('done')
})

test('a job whose report the ledger refuses fails, so that it comes again', async () => {
  const plan = await open('forgotten')
  const job = { deployment: 'forgotten', plan, remodel: 'a', release: 1 }
  // What a Redis that came back older does to a claim: it never happened.
  const forget = async () => {
    const key = `${ledger.base('forgotten')}:plan:${plan}`
    await ledger.redis.multi().hset(`${key}:state`, 'a', 'released').hdel(`${key}:runs`, 'a').exec()
  }
  const refused = carryOut(job, 'assemble', never, await toolsWith(forget))
  await expect(refused).rejects.toMatchObject({ code: 'superseded' })
  expect((await ledger.planRecord('forgotten', plan)).counts.done).toBe(0)
})

test('a worker without its lock reports nothing', async () => {
  const plan = await open('lost')
  const job = { deployment: 'lost', plan, remodel: 'a', release: 1 }
  const lock = new AbortController()
  const lost = carryOut(job, 'assemble', lock.signal, await toolsWith(async () => lock.abort(new Error('lost'))))
  await expect(lost).rejects.toThrow('lost')
  const [record] = await ledger.remodelRecords('lost', plan)
  expect(record).toMatchObject({ state: 'running', attempt: 1 })
})
