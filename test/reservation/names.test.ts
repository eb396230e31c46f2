import { afterAll, beforeAll, expect, test } from 'vitest'
import { Names } from '../../shared/reservation/names.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let counter = 0
const connections: ReturnType<typeof connectRedis>[] = []

beforeAll(async () => {
  server = await startRedis()
})

afterAll(async () => {
  for (const redis of connections) redis.disconnect()
  await server.stop()
})

/** The names of one installation, as so many planners see them. */
function openNames(planners: number): Names[] {
  const settings = { url: server.url, prefix: `t${++counter}` }
  return Array.from({ length: planners }, () => {
    const redis = connectRedis(settings, 'service')
    connections.push(redis)
    return new Names(redis, settings)
  })
}

const address = (name: string, scope = '') => ({ type: 'address', scope, name })
const ground = (deployment: string) => ({ deployment, why: 'stands' }) as const
const space = [address('')]

test('what a planner has read of names counts until any planner changes one', async () => {
  const [left, right] = openNames(2) as [Names, Names]
  const holder = async (name: string) => (await left.reserved(space, 'mine')).holderOf(address(name))
  await right.hold(ground('one'), [address('10.0.0.1')])
  expect([await holder('10.0.0.1'), await holder('10.0.0.2')]).toEqual(['one', undefined])
  await right.hold(ground('two'), [address('10.0.0.2')])
  expect([await holder('10.0.0.1'), await holder('10.0.0.2')]).toEqual(['one', 'two'])
  await right.giveUp(ground('one'))
  expect([await holder('10.0.0.1'), await holder('10.0.0.2')]).toEqual([undefined, 'two'])
  await left.replace(ground('two'), [address('10.0.0.3')], 1)
  expect([await holder('10.0.0.2'), await holder('10.0.0.3')]).toEqual([undefined, 'two'])
})

test('what a deployment holds itself is not reserved for it, and each space is apart', async () => {
  const [names] = openNames(1) as [Names]
  await names.hold(ground('one'), [address('10.0.0.1'), address('10.0.0.2', 'other')])
  const seen = async (deployment: string, ...scopes: string[]) => {
    const reserved = await names.reserved(
      scopes.map((scope) => address('', scope)),
      deployment,
    )
    return [reserved.holderOf(address('10.0.0.1')), reserved.holderOf(address('10.0.0.2', 'other'))]
  }
  expect(await seen('two', '', 'other')).toEqual(['one', 'one'])
  expect(await seen('one', '', 'other')).toEqual([undefined, undefined])
  expect(await seen('two', 'other')).toEqual([undefined, 'one'])
  expect(await seen('two')).toEqual([undefined, undefined])
})

test('what is read is not read again while nothing changes', async () => {
  const [names] = openNames(1) as [Names]
  await names.hold(ground('one'), [address('10.0.0.1')])
  await names.reserved(space, 'two')
  const redis = connections.at(-1)!
  const calls = async () => Number(/cmdstat_hgetall:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0)
  const before = await calls()
  for (let i = 0; i < 5; i++) await names.reserved(space, `other-${i}`)
  expect(await calls()).toBe(before)
})

test('a name that a planner of an earlier version has taken, which marks no change, is seen after one refusal', async () => {
  const [names] = openNames(1) as [Names]
  await names.hold(ground('one'), [address('10.0.0.1')])
  await names.reserved(space, 'two')
  const redis = connections.at(-1)!
  await redis.hset(`t${counter}:{names}:in:${JSON.stringify(['address', ''])}`, '10.0.0.2', '{"d":"old","p":"","n":1}')
  const wanted = [address('10.0.0.2')]
  expect((await names.reserved(space, 'two')).holderOf(wanted[0]!)).toBeUndefined()
  expect(await names.hold(ground('two'), wanted)).toMatchObject([{ deployment: 'old' }])
  expect((await names.reserved(space, 'two')).holderOf(wanted[0]!)).toBe('old')
})
