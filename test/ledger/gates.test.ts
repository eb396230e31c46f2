import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { RemodelDraft } from '../../kinds/contract/draft.ts'
import { DeploymentClocks } from '../../services/planner/dispatch/clocks.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { Clocks } from '../support/clock.ts'
import { planOf, released, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let folder: string
/** Of Redis: what it is set by passes for time where no planner notices it. */
let time: Clocks
let server: TestRedis
let redis: Redis
let ledger: Ledger
let counter = 0
const settings = () => ({ url: server.url, prefix: 'test' })
const hour = 3600_000

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'remodel-gates-'))
  time = await Clocks.open(folder)
  server = await startRedis(['--appendfsync', 'no'], time.env('redis'))
  redis = connectRedis(settings(), 'service')
  ledger = new Ledger(redis, settings())
})

beforeEach(() => time.set('redis', 0))

afterAll(async () => {
  redis.disconnect()
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

const gate = (moment: Pick<RemodelDraft, 'opens' | 'closes'>) =>
  remodel('begin', [], { step: 'gate', action: 'gate', title: 'begin tonight', deadlineSeconds: 0.001, ...moment })

/** A plan of which all waits for a gate; what it is drawn upon stands meanwhile. */
async function opened(moment: Pick<RemodelDraft, 'opens' | 'closes'>) {
  const name = `d${++counter}`
  const { version } = await ledger.floorplan(name)
  const { id } = await ledger.store(planOf(name, [gate(moment), remodel('a', ['begin'])], { version }), Date.now())
  expect(await ledger.open(name, id, { by: person('anna'), message: 'deploy' })).toEqual({ status: 'ok' })
  const states = async () =>
    Object.fromEntries((await ledger.remodelRecords(name, id)).map(({ id, state }) => [id, state]))
  return { name, id, states, state: async () => (await ledger.planRecord(name, id)).state }
}

/** What a sweep does; with the clocks of a planner it notices that a clock was set. */
async function sweep({ name, id }: { name: string; id: string }, clocks?: DeploymentClocks): Promise<void> {
  const now = await clocks?.now(name)
  await ledger.resume(name, id)
  await ledger.expire(name, id, 0, { now })
}

describe('a gate', () => {
  test('parks its plan until its moment, opens then, and the plan goes on with its lock', async () => {
    const run = await opened({ opens: Date.now() + hour })
    expect(await ledger.planRecord(run.name, run.id)).toMatchObject({
      state: 'parked',
      parked: { on: 'the moment to begin tonight' },
    })
    expect(await ledger.lock(run.name)).toBeNull()
    expect((await ledger.waitsFor(run.name, run.id, 'begin')).waitsFor).toEqual(['the moment to begin tonight'])
    await time.set('redis', hour)
    await sweep(run)
    expect(await run.states()).toEqual({ begin: 'done', a: 'released' })
    expect((await ledger.lock(run.name))?.plan).toBe(run.id)
    expect(await released(ledger, run.name, run.id)).toHaveLength(1)
  })

  test('whose moment has been opens at once', async () => {
    const run = await opened({ opens: Date.now() - 1 })
    expect(await run.states()).toEqual({ begin: 'done', a: 'released' })
  })

  test('opens for no sweep before its moment, and for no person', async () => {
    const run = await opened({ opens: Date.now() + hour })
    for (let n = 0; n < 3; n++) await sweep(run)
    await expect(
      ledger.decide(run.name, run.id, { remodel: 'begin', approve: true, by: person('bert') }),
    ).rejects.toMatchObject({ code: 'conflict' })
    expect([await run.state(), await run.states()]).toEqual(['parked', { begin: 'waiting', a: 'blocked' }])
  })

  test('that could not open in its time fails the plan, and nothing was begun', async () => {
    const run = await opened({ opens: 0, closes: Date.now() - 1 })
    expect([await run.state(), await run.states()]).toEqual(['failed', { begin: 'failed', a: 'skipped' }])
    const late = await opened({ opens: Date.now() + hour, closes: Date.now() + 2 * hour })
    await time.set('redis', 3 * hour)
    await sweep(late)
    expect([await late.state(), await late.states()]).toEqual(['failed', { begin: 'failed', a: 'skipped' }])
    const { errors } = await ledger.planRecord(late.name, late.id)
    expect(errors).toMatchObject([{ remodel: 'begin', code: 'deadline' }])
  })

  for (const stepMs of [2 * hour, 2000 * hour]) {
    test(`opens not sooner where the clock of Redis is set forward by ${stepMs / hour} hours`, async () => {
      const clocks = new DeploymentClocks(ledger, pino({ level: 'silent' }))
      const run = await opened({ opens: Date.now() + hour })
      await sweep(run, clocks)
      await time.set('redis', stepMs)
      await sweep(run, clocks)
      // A minute later, as the planner sees it.
      await time.set('redis', stepMs + 60_000)
      for (let n = 0; n < 3; n++) await sweep(run)
      expect([await run.state(), await run.states()]).toEqual(['parked', { begin: 'waiting', a: 'blocked' }])
    })
  }

  test('opens not before the clock of Redis says so, where that was set right', async () => {
    const clocks = new DeploymentClocks(ledger, pino({ level: 'silent' }))
    await time.set('redis', hour)
    const run = await opened({ opens: Date.now() + 2 * hour })
    await sweep(run, clocks)
    await time.set('redis', 0)
    await sweep(run, clocks)
    // An hour and a half later, of the two hours that are left by the right clock.
    await time.set('redis', 1.5 * hour)
    await sweep(run)
    expect(await run.states()).toEqual({ begin: 'waiting', a: 'blocked' })
    await time.set('redis', 2 * hour)
    await sweep(run)
    expect(await run.states()).toEqual({ begin: 'done', a: 'released' })
  })

  test('is closed for good by a cancel and by another plan that begins something meanwhile', async () => {
    const cancelled = await opened({ opens: Date.now() + hour })
    await ledger.cancel(cancelled.name, cancelled.id, person('anna'), false)
    expect(await cancelled.states()).toEqual({ begin: 'skipped', a: 'skipped' })
    const passed = await opened({ opens: Date.now() + hour })
    const { version } = await ledger.floorplan(passed.name)
    const other = await ledger.store(planOf(passed.name, [remodel('b')], { version }), Date.now())
    expect(await ledger.open(passed.name, other.id, { by: person('bert'), message: '' })).toEqual({ status: 'ok' })
    await ledger.claim(passed.name, 'w', [{ plan: other.id, remodel: 'b', job: 'b #1' }])
    await expect.poll(() => sweep(passed).then(passed.state), { timeout: 20_000 }).toBe('cancelled')
    expect((await ledger.planRecord(passed.name, passed.id)).errors).toMatchObject([{ code: 'superseded' }])
  })
})

describe('an approval', () => {
  test('is given to what waits for a person only: a step that waits is not settled by it', async () => {
    const name = `d${++counter}`
    const plan = await ledger.store(planOf(name, [remodel('a'), remodel('b', ['a'])]), Date.now())
    await ledger.open(name, plan.id, { by: person('anna'), message: '' })
    const [claim] = await ledger.claim(name, 'w', [{ plan: plan.id, remodel: 'a', job: 'a #1' }])
    if (claim?.status !== 'claimed') throw new Error('not claimed')
    const waits = { outcome: 'wait', message: 'better times', afterMs: 1000 } as const
    await ledger.complete(name, [{ plan: plan.id, remodel: 'a', fence: claim.claim.fence, ...waits }])
    await expect(
      ledger.decide(name, plan.id, { remodel: 'a', approve: true, by: person('bert') }),
    ).rejects.toMatchObject({
      code: 'conflict',
    })
    expect((await ledger.remodelRecords(name, plan.id)).map(({ state }) => state)).toEqual(['waiting', 'blocked'])
  })
})
