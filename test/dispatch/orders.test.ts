import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { takeDeployRequest } from '../../services/planner/planning/deploy-request.ts'
import { askerOf, payloads } from '../../shared/queue/payloads.ts'
import { openTown, type Town } from '../reservation/town.ts'
import { person } from '../support/actors.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let town: Town
let counter = 0

beforeAll(async () => {
  server = await startRedis()
  town = await openTown({ url: server.url, prefix: 'o' })
})

afterAll(async () => {
  town.close()
  await server.stop()
})

function orderOf(name: string, instances = 1) {
  const { manifest, cloudConfigs } = town.order(name, { instances })
  const options = { recreate: false, skipDrain: false }
  const order = {
    manifest,
    cloudConfigs: [...cloudConfigs],
    releases: [],
    options,
    by: { kind: 'service' as const, name: 'test' },
    message: '',
  }
  return (id: string) => takeDeployRequest({ ...order, id }, town.planning)
}

const fresh = () => `o${++counter}`
const stateOf = async (deployment: string, plan: string) => (await town.ledger.planRecord(deployment, plan)).state

describe('an order that is delivered again, because its planner was lost', () => {
  test('opens no second plan while the first one runs', async () => {
    const deliver = orderOf(fresh())
    const first = await deliver('1')
    expect(await deliver('1')).toEqual(first)
  })

  test('is not carried out a second time where its plan was cancelled meanwhile', async () => {
    const name = fresh()
    const deliver = orderOf(name)
    const first = await deliver('1')
    await town.ledger.cancel(name, first.plan, person('test'), true)
    expect(await stateOf(name, first.plan)).toBe('cancelled')
    expect(await deliver('1')).toEqual(first)
    expect(await town.ledger.lock(name)).toBeNull()
  })

  test('is not carried out a second time where its plan failed, or was done, meanwhile', async () => {
    for (const [fails, state] of [
      [true, 'failed'],
      [false, 'done'],
    ] as const) {
      const name = fresh()
      const deliver = orderOf(name)
      const first = await deliver('1')
      await town.run(name, first.plan, () => fails)
      expect(await stateOf(name, first.plan)).toBe(state)
      expect(await deliver('1')).toEqual(first)
      expect(await town.ledger.lock(name)).toBeNull()
    }
  })
})

test('another order for the same deployment opens a plan of its own', async () => {
  const name = fresh()
  const first = await orderOf(name)('1')
  await town.run(name, first.plan)
  const second = await orderOf(name, 2)('2')
  expect(second.plan).not.toBe(first.plan)
  expect(await stateOf(name, second.plan)).toBe('running')
})

describe('who asks by a job of the queue', () => {
  const askedBy = (more: object) => {
    const { manifest, cloudConfigs } = town.order(fresh(), { instances: 1 })
    const options = { recreate: false, skipDrain: false }
    return askerOf(payloads.deploys.parse({ manifest, cloudConfigs, options, ...more }))
  }

  test('is what its producer says of itself, and that it came by the queue', () => {
    expect(askedBy({ by: { kind: 'person', name: 'ann' } })).toEqual({ kind: 'person', name: 'ann', via: 'queue' })
    expect(askedBy({})).toEqual({ kind: 'service', name: 'unnamed', via: 'queue' })
  })

  test('may be given as programs of the version before give it, and no producer may pose as the planner', () => {
    expect(askedBy({ holder: 'ci' })).toEqual({ kind: 'service', name: 'ci', via: 'queue' })
    expect(() => askedBy({ by: { kind: 'caretaker', name: 'ann' } })).toThrow()
    expect(() => askedBy({ by: { kind: 'person', name: 'ann', via: 'cli' } })).toThrow()
  })

  test('holds the deployment', async () => {
    const name = fresh()
    await orderOf(name)('1')
    expect((await town.ledger.lock(name))?.holder).toEqual({ kind: 'service', name: 'test', via: 'queue' })
  })
})
