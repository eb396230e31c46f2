import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nameKey } from '../../shared/model/reservation.ts'
import { person } from '../support/actors.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { addressesOf, openTown, type Town } from './town.ts'

let server: TestRedis
let counter = 0
const lock = { by: person('test'), message: 'testing', waitSeconds: 0 }

beforeAll(async () => {
  server = await startRedis()
})

afterAll(async () => {
  await server.stop()
})

const openTowns = () => {
  const settings = { url: server.url, prefix: `t${++counter}` }
  return Promise.all([openTown(settings), openTown(settings)])
}

const groundOf = (deployment: string, plan: string) => ({ deployment, why: 'plan', plan, round: '0' }) as const

async function deploy(town: Town, name: string) {
  const plan = await town.planning.plan(town.order(name))
  await town.planning.apply(plan.id, lock)
  await town.run(name, plan.id)
  return plan
}

describe('a planner', () => {
  test('that dies between taking names and opening its plan leaks nothing: others give them back', async () => {
    const [left, right] = await openTowns()
    const one = await left.planning.plan(left.order('one'))
    await left.ledger.names.hold(groundOf('one', one.id), one.reservations!)
    await right.settling.settleEnded()
    expect(await right.ledger.names.open(), 'not so soon').toHaveLength(1)
    await right.impatient.settleEnded()
    expect(await right.ledger.names.open()).toEqual([])
    const two = await right.planning.plan(right.order('two'))
    expect(addressesOf(two)).toEqual(addressesOf(one))
    for (const town of [left, right]) town.close()
  })

  test('that died so before the clock of Redis was set back leaks nothing either', async () => {
    const [left, right] = await openTowns()
    const one = await left.planning.plan(left.order('one'))
    await left.ledger.names.hold(groundOf('one', one.id), one.reservations!)
    const grounds = `${left.ledger.settings.prefix}:{names}:open`
    const ahead = Math.floor(Date.now() / 1000) + 13 * 3600
    await left.redis.zadd(
      grounds,
      ...(await left.redis.zrange(grounds, '0', '-1')).flatMap((member) => [ahead, member]),
    )
    await right.settling.settleEnded()
    expect(await right.ledger.names.open(), 'its time begins anew').toMatchObject([
      { since: expect.closeTo(ahead - 13 * 3600, -2) },
    ])
    await right.impatient.settleEnded()
    expect(await right.ledger.names.open()).toEqual([])
    for (const town of [left, right]) town.close()
  })

  test('that dies between ending the round and giving up the names leaks nothing either', async () => {
    const [left, right] = await openTowns()
    const one = await left.planning.plan(left.order('one'))
    await left.ledger.names.hold(groundOf('one', one.id), one.reservations!)
    await left.redis.hincrby(`${left.ledger.base('one')}:plan:${one.id}`, 'round', 1)
    await right.settling.settleEnded()
    expect(await right.ledger.names.open()).toEqual([])
    for (const town of [left, right]) town.close()
  })

  test('whose plan was forgotten while it held names for it keeps none', async () => {
    const [left, right] = await openTowns()
    const one = await left.planning.plan(left.order('one'))
    await left.ledger.names.hold(groundOf('one', one.id), one.reservations!)
    await left.ledger.retention.forget('one', 0, -1, Date.now() + 1)
    await right.settling.settleEnded()
    expect(await right.ledger.names.open()).toEqual([])
    for (const town of [left, right]) town.close()
  })

  test('that sleeps between taking and opening, while others give its names back and a third one takes them, is refused', async () => {
    const [left, right] = await openTowns()
    const one = await left.planning.plan(left.order('one'))
    const two = await right.planning.plan(right.order('two'))
    const { names } = left.ledger
    const hold = names.hold.bind(names)
    names.hold = async (ground, wanted) => {
      names.hold = hold
      const holders = await hold(ground, wanted)
      await right.impatient.settleEnded()
      await right.planning.apply(two.id, lock)
      return holders
    }
    await expect(left.planning.apply(one.id, lock)).rejects.toMatchObject({ code: 'claimed' })
    expect(await left.ledger.lock('one')).toBe(null)
    expect((await left.ledger.names.open()).map(({ plan }) => plan)).toEqual([two.id])
    for (const town of [left, right]) town.close()
  })

  test('that others take for dead between taking and opening never runs a plan without its names', async () => {
    const [left, right] = await openTowns()
    const third = await openTown({ url: server.url, prefix: `t${counter}` })
    let sweeping = true
    const sweeps = (async () => {
      while (sweeping) {
        await third.impatient.settleEnded()
        await sleep(3)
      }
    })()
    const attempt = async (town: Town, name: string) => {
      for (;;) {
        const plan = await town.planning.plan(town.order(name))
        const refused = await town.planning.apply(plan.id, lock).then(
          () => null,
          (error: { code: string }) => error.code,
        )
        if (refused === null) return plan
        expect(refused).toBe('claimed')
      }
    }
    const held = new Map<string, string>()
    for (let round = 0; round < 20; round++) {
      const names = [`a${round}`, `b${round}`]
      const plans = await Promise.all([attempt(left, names[0]!), attempt(right, names[1]!)])
      for (const { deployment, reservations } of plans) {
        for (const name of reservations!) {
          expect(held.get(nameKey(name)), nameKey(name)).toBe(undefined)
          held.set(nameKey(name), deployment)
        }
      }
    }
    sweeping = false
    await sweeps
    const seen = await left.ledger.names.reserved([{ type: 'address', scope: '' }], 'no-deployment')
    for (const [key, deployment] of held) {
      const [type, scope, name] = JSON.parse(key) as [string, string, string]
      expect(seen.holderOf({ type, scope, name })).toBe(deployment)
    }
    for (const town of [left, right, third]) town.close()
  })

  test('that settles by an old floorplan changes nothing where another one has settled by a newer one', async () => {
    const [left, right] = await openTowns()
    const made = await deploy(left, 'one')
    await left.settling.settleEnded()
    const ground = { deployment: 'one', why: 'stands' } as const
    const before = await left.ledger.names.heldOn(ground)
    expect(before.map(({ name }) => name)).toEqual(addressesOf(made))
    await right.ledger.names.replace(ground, [], 0)
    expect(await left.ledger.names.heldOn(ground)).toEqual(before)
    for (const town of [left, right]) town.close()
  })
})

describe('deployments that stood before there were reservations', () => {
  test('are taken over when a planner starts, those that are worked at too', async () => {
    const [left, right] = await openTowns()
    const one = await deploy(left, 'one')
    const two = await left.planning.plan(left.order('two'))
    await left.planning.apply(two.id, lock)
    await left.redis.del(...(await left.redis.keys(`t${counter}:{names}:*`)))
    await right.settling.takeOver()
    await right.run('two', two.id)
    await right.settling.settleEnded()
    expect(await right.ledger.names.open()).toEqual([])
    const three = await right.planning.plan(right.order('three'))
    expect([...addressesOf(one), ...addressesOf(two)]).not.toContain(addressesOf(three)[0])
    for (const town of [left, right]) town.close()
  })
})
