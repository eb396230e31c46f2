import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { person } from '../support/actors.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { addressesOf, openTown, type Town } from './town.ts'

/** How often two deployments are planned at once, all parts together. */
const rounds = Number(process.env.REMODEL_RESERVATION_ROUNDS ?? 1000)
/** Each of them is a Redis prefix of its own, so that what is open there does not grow with all rounds. */
const parts = 40

let server: TestRedis
let counter = 0
const fresh = () => `d${++counter}`
const lock = { by: person('test'), message: 'testing', waitSeconds: 0 }

beforeAll(async () => {
  server = await startRedis()
})

afterAll(async () => {
  await server.stop()
})

const openTowns = (range?: string): Promise<[Town, Town]> => {
  const settings = { url: server.url, prefix: `t${++counter}` }
  return Promise.all([openTown(settings, range), openTown(settings, range)])
}

/** Two planners take a request each at once, this many times. Answers the addresses that two deployments have then. */
async function race([left, right]: readonly [Town, Town], times: number): Promise<string[]> {
  const holders = new Map<string, string>()
  const twice: string[] = []
  for (let round = 0; round < times; round++) {
    const taken = await Promise.all([left.takes(fresh()), right.takes(fresh(), { instances: 2 })])
    const plans = await Promise.all(taken.map(({ deployment, plan }) => left.ledger.plan(deployment, plan)))
    const addresses = plans.flatMap(addressesOf)
    expect(addresses).toHaveLength(3)
    for (const plan of plans) {
      for (const address of addressesOf(plan)) {
        if (holders.has(address)) twice.push(`${address}: ${holders.get(address)} and ${plan.deployment}`)
        holders.set(address, plan.deployment)
      }
    }
  }
  return twice
}

describe('two deployments in one network', () => {
  test.for(Array.from({ length: parts }, (_, i) => i + 1))(
    `that are planned at once get different addresses, ${rounds} times in ${parts} parts: part %i`,
    async () => {
      const towns = await openTowns()
      expect(await race(towns, Math.ceil(rounds / parts))).toEqual([])
      for (const town of towns) town.close()
    },
  )

  test('that are planned at once get one address where a plan is opened without its names: the control run', async () => {
    const towns = await openTowns()
    for (const { ledger } of towns) {
      const hold = ledger.names.hold.bind(ledger.names)
      ledger.names.hold = async (ground, names) => {
        await hold(ground, names)
        return []
      }
    }
    const twice: string[] = []
    while (twice.length === 0) twice.push(...(await race(towns, 1)))
    for (const town of towns) town.close()
  })

  test('that are both planned before either is applied: the second is refused with the reason, and changes nothing', async () => {
    const [left, right] = await openTowns()
    const [one, two] = [await left.planning.plan(left.order('one')), await right.planning.plan(right.order('two'))]
    expect(addressesOf(two)).toEqual(addressesOf(one))
    await left.planning.apply(one.id, lock)
    const refused = right.planning.apply(two.id, lock)
    const [address] = addressesOf(one)
    await expect(refused).rejects.toMatchObject({
      code: 'claimed',
      message: `plan ${two.id} cannot be carried out: address ${address} is held by deployment one (plan ${one.id}): plan again`,
    })
    expect((await right.ledger.planRecord('two', two.id)).state).toBe('stored')
    expect(await right.ledger.lock('two')).toBe(null)
    expect(await right.ledger.events('two', 0)).toEqual([])
    expect((await right.ledger.names.open()).map(({ plan }) => plan)).toEqual([one.id])
    const again = await right.planning.plan(right.order('two'))
    expect(addressesOf(again)).not.toEqual(addressesOf(one))
    await right.planning.apply(again.id, lock)
    for (const town of [left, right]) town.close()
  })

  test('get none that a third one has fixed, and a fixed one that another has is refused where it stands', async () => {
    const [left, right] = await openTowns()
    const fixed = await left.planning.plan(left.order('fixed', { statics: '10.0.0.203' }))
    await left.planning.apply(fixed.id, lock)
    const wanted = right.planning.plan(right.order('late', { statics: '10.0.0.203' }))
    await expect(wanted).rejects.toMatchObject({
      code: 'invalid-input',
      faults: [{ message: 'address 10.0.0.203 is held by deployment fixed' }],
    })
    for (const town of [left, right]) town.close()
  })

  test('in two networks of the cloud may have one address', async () => {
    const [left, right] = await openTowns()
    const one = await left.planning.plan(left.order('one', { network: 'blue' }))
    const two = await right.planning.plan(right.order('two', { network: 'green' }))
    expect(addressesOf(two)).toEqual(addressesOf(one))
    await left.planning.apply(one.id, lock)
    await right.planning.apply(two.id, lock)
    for (const town of [left, right]) town.close()
  })
})

describe('planning', () => {
  test('asks Redis the same however many deployments stand, and reads no floorplan but its own', async () => {
    const [town, other] = await openTowns()
    other.close()
    const stand = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const name = fresh()
        const plan = await town.planning.plan(town.order(name))
        await town.planning.apply(plan.id, lock)
        await town.run(name, plan.id)
      }
      await town.settling.settleEnded()
    }
    const asked = async () => {
      const count = async () =>
        [...(await town.redis.info('commandstats')).matchAll(/cmdstat_(\w+):calls=(\d+)/g)]
          .filter(([, name]) => name !== 'info')
          .reduce((sum, [, , calls]) => sum + Number(calls), 0)
      const before = await count()
      await town.planning.plan(town.order(fresh()))
      return (await count()) - before
    }
    await stand(5)
    const few = await asked()
    await stand(45)
    expect(await asked()).toBe(few)
    town.close()
  })
})

describe('an address', () => {
  test('is free again when its deployment is gone, at once and for the next plan', async () => {
    // One deployment of five fills the network.
    const [left, right] = await openTowns('10.0.0.200/29')
    const all = { instances: 5 }
    const made = await left.planning.plan(left.order('one', all))
    await left.planning.apply(made.id, lock)
    await left.run('one', made.id)
    expect((await left.ledger.planRecord('one', made.id)).state).toBe('done')
    await expect(right.planning.plan(right.order('two', all))).rejects.toMatchObject({ code: 'invalid-input' })
    const removal = await left.planning.planRemoval('one')
    await left.planning.apply(removal.id, lock)
    await left.run('one', removal.id)
    const after = await right.planning.plan(right.order('two', all))
    expect(addressesOf(after).sort()).toEqual(addressesOf(made).sort())
    await right.planning.apply(after.id, lock)
    for (const town of [left, right]) town.close()
  })

  test('stays with its machine when its plan and the next ones are done', async () => {
    const [left, right] = await openTowns()
    const made = await left.planning.plan(left.order('one'))
    await left.planning.apply(made.id, lock)
    await left.run('one', made.id)
    await left.settling.settleEnded()
    expect(await left.ledger.names.open()).toEqual([])
    const more = await left.planning.plan(left.order('one', { instances: 2 }))
    await left.planning.apply(more.id, lock)
    await left.run('one', more.id)
    await left.settling.settleEnded()
    const other = await right.planning.plan(right.order('two'))
    const mine = new Set([...addressesOf(made), ...addressesOf(more)])
    expect(mine.size).toBe(2)
    expect(mine).not.toContain(addressesOf(other)[0])
    for (const town of [left, right]) town.close()
  })

  test('of what was never begun is free when its plan is cancelled', async () => {
    const [left, right] = await openTowns()
    const plan = await left.planning.plan(left.order('one'))
    await left.planning.apply(plan.id, lock)
    await left.ledger.cancel('one', plan.id, person('test'))
    const other = await right.planning.plan(right.order('two'))
    expect(addressesOf(other)).toEqual(addressesOf(plan))
    for (const town of [left, right]) town.close()
  })

  test('of a machine whose making failed is kept, as it may be there, until its deployment has looked', async () => {
    const [left, right] = await openTowns()
    const plan = await left.planning.plan(left.order('one'))
    await left.planning.apply(plan.id, lock)
    await left.run('one', plan.id, (id) => id.startsWith('create-vm'))
    expect((await left.ledger.planRecord('one', plan.id)).state).toBe('failed')
    const other = await right.planning.plan(right.order('two'))
    expect(addressesOf(other)).not.toEqual(addressesOf(plan))
    // The provider of this test never has a machine, so the next look finds that there is none.
    await left.planning.plan(left.order('one'))
    const later = await right.planning.plan(right.order('three'))
    expect(addressesOf(later)).toEqual(addressesOf(plan))
    for (const town of [left, right]) town.close()
  })
})
