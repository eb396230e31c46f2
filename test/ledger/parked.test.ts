import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RemodelDraft } from '../../kinds/contract/draft.ts'
import { type Claim, type Completion, Ledger } from '../../shared/ledger/ledger.ts'
import type { Plan } from '../../shared/model/plan.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, released, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
/** Plans of it are parked as soon as they only wait. */
let ledger: Ledger
let counter = 0
const fresh = () => `d${++counter}`
const settings = () => ({ url: server.url, prefix: 'test' })
const lock = { by: person('anna'), message: 'deploy' }

beforeAll(async () => {
  server = await startRedis(['--appendfsync', 'no'])
  redis = connectRedis(settings(), 'service')
  ledger = new Ledger(redis, settings(), { parkAfterMs: 0 })
})

afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

/** A plan that is drawn now, against the present floorplan. */
async function drawn(deployment: string, drafts: RemodelDraft[]): Promise<Plan> {
  const { version } = await ledger.floorplan(deployment)
  return ledger.store(planOf(deployment, drafts, { version }), Date.now())
}

async function opened(deployment: string, drafts: RemodelDraft[], by = ledger): Promise<string> {
  const { id } = await drawn(deployment, drafts)
  expect(await by.open(deployment, id, lock)).toEqual({ status: 'ok' })
  return id
}

async function begin(deployment: string, plan: string, id = 'a', by = ledger): Promise<Claim> {
  const one = (await released(by, deployment, plan)).find((item) => item.remodel === id)
  if (!one) throw new Error(`${id} is not released`)
  const [result] = await by.claim(deployment, 'w', [{ plan, remodel: id, job: `${id} #${one.release}` }])
  if (result?.status !== 'claimed') throw new Error(`${id} is ${result?.status}`)
  return result.claim
}

async function end(claim: Claim, how: Omit<Completion, 'plan' | 'remodel' | 'fence'>, by = ledger): Promise<string> {
  const { deployment, plan, fence, remodel } = claim
  const [result] = await by.complete(deployment, [{ plan, remodel: remodel.id, fence, ...how }])
  return result!.status
}

const waits = (claim: Claim, afterMs = 3600_000, message = 'the copy to be there', by = ledger) =>
  end(claim, { outcome: 'wait', message, afterMs }, by)

const stateOf = async (deployment: string, plan: string) => (await ledger.planRecord(deployment, plan)).state
const statesOf = async (deployment: string, plan: string) =>
  Object.fromEntries((await ledger.remodelRecords(deployment, plan)).map(({ id, state }) => [id, state]))

/** What a sweep does until it brings the plan to that state. */
const resumedTo = (deployment: string, plan: string, state: string) =>
  expect.poll(() => ledger.resume(deployment, plan), { timeout: 20_000 }).toBe(state)

const gate = (id: string, needs: string[] = [], more: Partial<RemodelDraft> = {}) =>
  remodel(id, needs, { action: 'approve', title: `go on with ${id}`, ...more })

describe('a plan that only waits', () => {
  test('for a person gives the lock back, and goes on when it is approved', async () => {
    const name = fresh()
    const plan = await opened(name, [remodel('a'), gate('b', ['a']), remodel('c', ['b'])])
    await end(await begin(name, plan), { outcome: 'done' })
    const { state, parked } = await ledger.planRecord(name, plan)
    expect({ state, on: parked?.on }).toEqual({ state: 'parked', on: 'an approval: go on with b' })
    expect(await ledger.lock(name)).toBeNull()
    await ledger.decide(name, plan, { remodel: 'b', approve: true, by: person('bert') })
    expect(await ledger.lock(name)).toMatchObject({ plan, holder: lock.by, message: lock.message })
    await end(await begin(name, plan, 'c'), { outcome: 'done' })
    expect(await stateOf(name, plan)).toBe('done')
    expect(await redis.keys(`test:{${name}}:parked`)).toEqual([])
  })

  test('for a step gives the lock back between two looks, has one event, and remembers since when', async () => {
    const name = fresh()
    const plan = await opened(name, [remodel('a'), remodel('b', ['a'])])
    await waits(await begin(name, plan), 0)
    const { parked } = await ledger.planRecord(name, plan)
    expect(await ledger.lock(name)).toBeNull()
    await resumedTo(name, plan, 'running')
    await waits(await begin(name, plan), 0)
    expect(await ledger.planRecord(name, plan)).toMatchObject({ state: 'parked', parked })
    await resumedTo(name, plan, 'running')
    await end(await begin(name, plan), { outcome: 'done' })
    await end(await begin(name, plan, 'b'), { outcome: 'done' })
    expect(await ledger.planRecord(name, plan)).toMatchObject({ state: 'done', parked: null })
    const told = (await ledger.events(name, 0)).filter(({ type }) => type === 'plan.parked')
    expect(told.map(({ message }) => message)).toEqual(['the copy to be there'])
  })

  test('keeps the lock as long as something of it runs, may run, or has waited only for a moment', async () => {
    const patient = new Ledger(redis, settings())
    const busy = fresh()
    const two = await opened(busy, [remodel('a'), remodel('b')])
    const [a, b] = [await begin(busy, two), await begin(busy, two, 'b')]
    await waits(a)
    expect(await stateOf(busy, two)).toBe('running')
    await end(b, { outcome: 'done' })
    expect(await stateOf(busy, two)).toBe('parked')
    const short = fresh()
    const plan = await opened(short, [remodel('a')], patient)
    await waits(await begin(short, plan, 'a', patient), 1000, 'it', patient)
    expect(await stateOf(short, plan)).toBe('running')
  })

  test('keeps the lock behind a point of no return', async () => {
    const name = fresh()
    const plan = await opened(name, [remodel('a')])
    const claim = await begin(name, plan)
    await end(claim, { outcome: 'no-return' })
    await waits(claim)
    expect(await stateOf(name, plan)).toBe('running')
  })

  test('fails by its deadline though it was parked', async () => {
    const name = fresh()
    const plan = await opened(name, [gate('a', [], { deadlineSeconds: 0.5 })])
    expect(await stateOf(name, plan)).toBe('parked')
    expect(await ledger.expire(name, plan, 0)).toEqual([])
    await resumedTo(name, plan, 'running')
    await expect.poll(() => ledger.expire(name, plan, 0), { timeout: 20_000 }).toEqual(['a'])
    expect(await ledger.planRecord(name, plan)).toMatchObject({ state: 'failed', errors: [{ code: 'deadline' }] })
    expect(await ledger.lock(name)).toBeNull()
  })
})

describe('while a plan is parked', () => {
  test('another one that begins nothing leaves it as it was', async () => {
    const name = fresh()
    const plan = await opened(name, [gate('a'), remodel('b', ['a'])])
    const other = await opened(name, [remodel('x')])
    expect(await ledger.resume(name, plan)).toBe('parked')
    await expect(ledger.decide(name, plan, { remodel: 'a', approve: true, by: person('bert') })).rejects.toMatchObject({
      code: 'locked',
    })
    await ledger.cancel(name, other, person('me'))
    await ledger.decide(name, plan, { remodel: 'a', approve: true, by: person('bert') })
    await end(await begin(name, plan, 'b'), { outcome: 'done' })
    expect(await stateOf(name, plan)).toBe('done')
  })

  test('another one that begins something supersedes it, with all that it has not begun and its cleanup', async () => {
    const name = fresh()
    const drafts = [gate('a'), remodel('b', ['a']), remodel('tidy', ['b'], { when: 'always' })]
    const plan = await opened(name, drafts)
    const other = await opened(name, [remodel('x')])
    const claim = await begin(name, other, 'x')
    await resumedTo(name, plan, 'cancelled')
    expect(await statesOf(name, plan)).toEqual({ a: 'skipped', b: 'skipped', tidy: 'skipped' })
    const [error] = (await ledger.planRecord(name, plan)).errors
    expect(error).toMatchObject({ remodel: 'a', code: 'superseded' })
    expect(error!.message).toMatch(new RegExp(`^plan ${other} has begun work since this one was parked`))
    expect(await end(claim, { outcome: 'done' })).toBe('recorded')
    expect(await stateOf(name, other)).toBe('done')
  })

  test('it is superseded at the first request: an approval, or a cancellation', async () => {
    for (const ask of ['approve', 'cancel'] as const) {
      const name = fresh()
      const plan = await opened(name, [gate('a'), remodel('b', ['a'])])
      const other = await opened(name, [remodel('x')])
      await end(await begin(name, other, 'x'), { outcome: 'done' })
      if (ask === 'cancel') await ledger.cancel(name, plan, person('bert'))
      else
        await expect(
          ledger.decide(name, plan, { remodel: 'a', approve: true, by: person('bert') }),
        ).rejects.toMatchObject({
          code: 'conflict',
        })
      expect(await stateOf(name, plan)).toBe('cancelled')
      expect(await statesOf(name, plan)).toEqual({ a: 'skipped', b: 'skipped' })
      expect(await ledger.lock(name)).toBeNull()
    }
  })

  test('a plan that was drawn before a look that found nothing new may be opened after it', async () => {
    const name = fresh()
    const plan = await opened(name, [remodel('a')])
    await waits(await begin(name, plan), 0)
    const other = await drawn(name, [remodel('x')])
    await resumedTo(name, plan, 'running')
    expect(await ledger.open(name, other.id, lock)).toMatchObject({ status: 'locked', lock: { plan }, looks: true })
    await waits(await begin(name, plan), 0)
    expect(await ledger.open(name, other.id, lock)).toEqual({ status: 'ok' })
    expect(await ledger.open(name, (await drawn(name, [remodel('y')])).id, lock)).toMatchObject({ looks: false })
  })

  test('a look that finds something else, and one that is lost, may have moved the floorplan', async () => {
    for (const outcome of ['news', 'lost'] as const) {
      const name = fresh()
      const plan = await opened(name, [remodel('a')])
      await waits(await begin(name, plan), 0)
      const other = await drawn(name, [remodel('x')])
      await resumedTo(name, plan, 'running')
      const look = await begin(name, plan)
      if (outcome === 'news') await waits(look, 3600_000, 'something else')
      else await end(look, { outcome: 'lost', message: 'its worker leaves' })
      if (outcome === 'lost') await waits(await begin(name, plan))
      expect(await ledger.open(name, other.id, lock)).toMatchObject({ status: 'moved' })
    }
  })

  test('those who stand in line come first, but for a person who decides', async () => {
    const name = fresh()
    const plan = await opened(name, [remodel('a'), remodel('b', ['a'])])
    const waiting = await drawn(name, [remodel('x')])
    expect(await ledger.open(name, waiting.id, lock, 'bert')).toMatchObject({ status: 'locked' })
    await waits(await begin(name, plan), 0)
    const due = () => redis.zscore(`test:{${name}}:parked`, plan)
    const now = async () => Number((await redis.time())[0]) * 1000
    await expect.poll(async () => (await now()) > Number(await due()), { timeout: 20_000 }).toBe(true)
    await redis.set(`${ledger.base(name)}:line:bert`, 1, 'PX', 3000)
    expect(await ledger.resume(name, plan)).toBe('parked')
    expect(await ledger.cancel(name, plan, person('anna'))).toBe('cancelled')
  })

  test('it is cancelled with its cleanup, under the lock', async () => {
    const name = fresh()
    const plan = await opened(name, [gate('a'), remodel('b', ['a']), remodel('tidy', ['b'], { when: 'always' })])
    expect(await ledger.cancel(name, plan, person('bert'))).toBe('cancelling')
    expect(await ledger.lock(name)).toMatchObject({ plan })
    await end(await begin(name, plan, 'tidy'), { outcome: 'done' })
    expect(await stateOf(name, plan)).toBe('cancelled')
  })

  test('it is cancelled without its cleanup while another one has the deployment', async () => {
    const name = fresh()
    const plan = await opened(name, [gate('a'), remodel('tidy', ['a'], { when: 'always' })])
    const other = await opened(name, [remodel('x')])
    expect(await ledger.cancel(name, plan, person('bert'))).toBe('cancelled')
    expect(await statesOf(name, plan)).toEqual({ a: 'skipped', tidy: 'skipped' })
    expect(await ledger.lock(name)).toMatchObject({ plan: other })
  })
})

test('a large plan is superseded slice by slice, and holds up no other plan meanwhile', async () => {
  const name = fresh()
  const many = Array.from({ length: 300 }, (_, i) => remodel(`r${i}`, ['a']))
  const plan = await opened(name, [gate('a'), ...many])
  const other = await opened(name, [remodel('x')])
  const claim = await begin(name, other, 'x')
  expect(await ledger.resume(name, plan)).toBe('cancelling')
  expect(await ledger.isOpen(name)).toBe(true)
  expect(await end(claim, { outcome: 'done' })).toBe('recorded')
  expect(await stateOf(name, other)).toBe('done')
  await resumedTo(name, plan, 'cancelled')
  expect((await ledger.planRecord(name, plan)).counts).toMatchObject({ skipped: 301 })
  expect(await ledger.isOpen(name)).toBe(false)
})
