import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DeploymentClocks } from '../../services/planner/dispatch/clocks.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { Clocks } from '../support/clock.ts'
import { planOf, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

const hour = 3600_000
const log = pino({ level: 'silent' })
let folder: string
let time: Clocks
let server: TestRedis
let redis: Redis
let ledger: Ledger
let counter = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'remodel-clock-'))
  time = await Clocks.open(folder)
  server = await startRedis([], time.env('redis'))
  redis = connectRedis({ url: server.url, prefix: 'test' }, 'service')
  ledger = new Ledger(redis, { url: server.url, prefix: 'test' })
})
beforeEach(() => time.set('redis', 0))
afterAll(async () => {
  redis.disconnect()
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

/** A plan with running work, an approval and a wait, each with half an hour. */
async function open() {
  const name = `clock${++counter}`
  const more = { deadlineSeconds: 1800, attempts: 1 }
  const plan = await ledger.store(
    planOf(name, [
      ...[remodel('work', [], more), remodel('wait', [], more)],
      remodel('ok', [], { action: 'approve', ...more }),
    ]),
    1,
  )
  await ledger.open(name, plan.id, { by: person('test'), message: '' })
  const [, wait] = await ledger.claim(
    name,
    'w',
    ['work', 'wait'].map((id) => ({ plan: plan.id, remodel: id, job: `${id} #1` })),
  )
  if (wait?.status !== 'claimed') throw new Error('not claimed')
  const at = { plan: plan.id, remodel: 'wait', fence: wait.claim.fence }
  await ledger.complete(name, [{ ...at, outcome: 'wait', afterMs: 600_000, message: 'better times' }])
  return { name, plan: plan.id }
}

/** A sweep's look at deadlines, with nothing said about workers. */
async function sweep(clocks: DeploymentClocks, { name, plan }: { name: string; plan: string }) {
  const now = await clocks.now(name)
  return ledger.expire(name, plan, 0, { now })
}

describe('the clock of Redis', () => {
  for (const stepMs of [hour, 24 * hour, -hour, 2000 * hour]) {
    test(`set by ${stepMs / hour} hours fires no deadline, and delays none`, async () => {
      const clocks = [new DeploymentClocks(ledger, log), new DeploymentClocks(ledger, log)]
      const run = await open()
      for (const clock of clocks) await sweep(clock, run)
      const before = await clocks[0]!.now(run.name)
      await time.set('redis', stepMs)
      expect(Number((await redis.time())[0]) * 1000).toBeCloseTo(Date.now() + stepMs, -5)
      for (const clock of clocks) expect(await sweep(clock, run)).toEqual([])
      expect((await clocks[1]!.now(run.name)) - before).toBeLessThan(2000)
      expect((await ledger.planRecord(run.name, run.plan)).state).toBe('running')
    })
  }

  test('set forward fires deadlines where nothing looks after it: the control run', async () => {
    const run = await open()
    await time.set('redis', hour)
    expect((await ledger.expire(run.name, run.plan, 0)).sort()).toEqual(['ok', 'wait', 'work'])
  })

  test('set back before the first look of a planner is noticed by when the plan was opened', async () => {
    const run = await open()
    const { now } = await ledger.clock(run.name)
    await time.set('redis', -hour)
    expect((await new DeploymentClocks(ledger, log).now(run.name)) - now).toBeLessThan(2000)
    expect((await ledger.clock(run.name)).now - now).toBeGreaterThan(-2000)
  })

  test('set forward is shifted once, also where a planner looked first between the step and the shift', async () => {
    const [first, late] = [new DeploymentClocks(ledger, log), new DeploymentClocks(ledger, log)]
    const { name } = await open()
    const before = await first.now(name)
    await time.set('redis', hour)
    await late.now(name)
    for (let n = 0; n < 3; n++) for (const clock of [first, late]) await clock.now(name)
    expect(Math.round((await ledger.clock(name)).shift / hour)).toBe(-1)
    expect((await late.now(name)) - before).toBeLessThan(10_000)
  })

  test('is shifted again where Redis has forgotten the shift; two planners that disagree come to an end', async () => {
    const clocks = [new DeploymentClocks(ledger, log), new DeploymentClocks(ledger, log)]
    const { name } = await open()
    const shift = async () => Math.round((await ledger.clock(name)).shift / hour)
    for (const clock of clocks) await clock.now(name)
    await time.set('redis', hour)
    for (const clock of clocks) await clock.now(name)
    await redis.hset(`${ledger.base(name)}:meta`, 'shift', 0)
    for (const clock of clocks.toReversed()) await clock.now(name)
    expect(await shift()).toBe(-1)
    const shifts = []
    await redis.hset(`${ledger.base(name)}:meta`, 'shift', 7 * hour)
    for (let n = 0; n < 4; n++) for (const clock of clocks) shifts.push(await clock.now(name).then(shift))
    expect(new Set(shifts.slice(4)).size).toBe(1)
  })

  test('leaves the deadline of an attempt to its worker, as long as that lives', async () => {
    const name = `clock${++counter}`
    const plan = await ledger.store(planOf(name, [remodel('work', [], { deadlineSeconds: 0.01, attempts: 1 })]), 1)
    await ledger.open(name, plan.id, { by: person('test'), message: '' })
    await ledger.claim(name, 'w', [{ plan: plan.id, remodel: 'work', job: 'work #1' }])
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await ledger.expire(name, plan.id, 0, { alive: ['w'] })).toEqual([])
    expect(await ledger.expire(name, plan.id, 0, { alive: [] })).toEqual(['work'])
  })
})
