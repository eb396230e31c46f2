import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { Overview } from '../../shared/ledger/overview.ts'
import { type Actor, actorText, readActor } from '../../shared/model/actor.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let ledger: Ledger
let counter = 0
const ci: Actor = { kind: 'service', name: 'ci', via: 'queue' }

beforeAll(async () => {
  server = await startRedis()
  const settings = { url: server.url, prefix: 'a' }
  redis = connectRedis(settings, 'service')
  ledger = new Ledger(redis, settings)
})

afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

const fresh = () => `d${++counter}`
const eventsOf = async (name: string) =>
  (await ledger.events(name, 0)).map(({ type, by, message }) => ({ type, by, message }))

async function opened(name: string, by: Actor) {
  const asks = remodel('sure?', [], { action: 'approve', deadlineSeconds: 1000 })
  const plan = planOf(name, [asks, remodel('a', ['sure?'])])
  await ledger.store(plan, 1)
  await ledger.open(name, plan.id, { by, message: 'nightly' })
  return plan.id
}

describe('who asks', () => {
  test('is in the plan, in its first event and in the lock, which another plan is refused with', async () => {
    const name = fresh()
    const plan = planOf(name, [remodel('a')])
    const other = planOf(name, [remodel('b')])
    await ledger.store(plan, 1)
    await ledger.store(other, 2)
    expect((await ledger.planRecord(name, plan.id)).by).toBeNull()
    await ledger.open(name, plan.id, { by: ci, message: 'nightly' })
    expect((await ledger.planRecord(name, plan.id)).by).toEqual(ci)
    expect(await ledger.lock(name)).toMatchObject({ plan: plan.id, holder: ci })
    expect(await eventsOf(name)).toEqual([{ type: 'plan.started', by: ci, message: 'nightly' }])
    const refused = await ledger.open(name, other.id, { by: person('ann'), message: '' })
    expect(refused).toMatchObject({ status: 'locked', lock: { holder: ci } })
  })

  test('and waits longer is named to a request that comes later', async () => {
    const name = fresh()
    const plans = ['a', 'b', 'c'].map((id) => planOf(name, [remodel(id)]))
    for (const [i, plan] of plans.entries()) await ledger.store(plan, i + 1)
    const [first, second, third] = plans.map(({ id }) => id)
    await ledger.open(name, first!, { by: ci, message: '' })
    await ledger.open(name, second!, { by: person('ann'), message: '' }, 'waiter')
    await ledger.cancel(name, first!, ci)
    // The place in the line is kept for a moment only: it is asked for again in the same breath.
    await redis.persist(`${ledger.base(name)}:line:waiter`)
    const refused = await ledger.open(name, third!, { by: person('bert'), message: '' })
    expect(refused).toMatchObject({ status: 'locked', lock: { plan: '', holder: person('ann') } })
  })

  test('is in the events of what is approved, refused and cancelled, also where a plan was parked', async () => {
    const [approved, refused, cancelled] = [fresh(), fresh(), fresh()]
    for (const [name, approve] of [
      [approved, true],
      [refused, false],
    ] as const) {
      await ledger.decide(name, await opened(name, ci), { remodel: 'sure?', approve, by: person('ann') })
    }
    expect(await eventsOf(approved)).toContainEqual({
      type: 'remodel.done',
      by: person('ann'),
      message: 'approved by ann (cli)',
    })
    expect((await eventsOf(refused)).some(({ message }) => message === 'refused by ann (cli)')).toBe(true)
    await ledger.cancel(cancelled, await opened(cancelled, ci), person('bert'))
    expect(await eventsOf(cancelled)).toContainEqual({
      type: 'plan.cancelling',
      by: person('bert'),
      message: 'by bert (cli)',
    })
  })

  test('holds a parked plan that is taken up again, by whichever planner', async () => {
    const name = fresh()
    const plan = await opened(name, ci)
    expect((await ledger.planRecord(name, plan)).state).toBe('parked')
    await ledger.decide(name, plan, { remodel: 'sure?', approve: true, by: person('ann') })
    expect(await ledger.lock(name)).toMatchObject({ plan, holder: ci })
  })
})

describe('records of the version before, which had free text', () => {
  test('are read: a lock, and a plan that says nothing', async () => {
    const name = fresh()
    const plan = await opened(name, ci)
    await ledger.decide(name, plan, { remodel: 'sure?', approve: true, by: ci })
    await redis.hset(`${ledger.base(name)}:lock`, 'holder', 'ann@laptop')
    await redis.hdel(`${ledger.base(name)}:plan:${plan}`, 'by')
    const before: Actor = { kind: 'person', name: 'ann@laptop', via: 'unknown' }
    expect((await ledger.lock(name))?.holder).toEqual(before)
    expect((await new Overview(ledger).locks(name))[0]?.lock.holder).toEqual(before)
    expect((await ledger.planRecord(name, plan)).by).toBeNull()
  })

  test('are carried on: a plan that was parked under such a lock is taken up under it', async () => {
    const name = fresh()
    const plan = await opened(name, ci)
    const key = `${ledger.base(name)}:plan:${plan}`
    const parked = JSON.parse((await redis.hget(key, 'parked'))!)
    await redis.hset(key, 'parked', JSON.stringify({ ...parked, lock: { ...parked.lock, holder: 'ann@laptop' } }))
    await ledger.decide(name, plan, { remodel: 'sure?', approve: true, by: ci })
    expect((await ledger.lock(name))?.holder.name).toBe('ann@laptop')
  })
})

test('an actor is shown with what it is and how it came in, and is read back as it was', () => {
  expect(actorText(person('ann@laptop'))).toBe('ann@laptop (cli)')
  expect(actorText(ci)).toBe('service ci (queue)')
  expect(actorText(readActor('ann@laptop'))).toBe('ann@laptop')
  expect(readActor(JSON.stringify(ci))).toEqual(ci)
  // A name may look like JSON; a later version may know more kinds.
  expect(readActor('{ann}').name).toBe('{ann}')
  expect(readActor('{"kind":"robot","name":"r2","via":"cli"}').via).toBe('unknown')
  expect(readActor('').name).toBe('?')
})
