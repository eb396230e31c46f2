import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Ledger } from '../../shared/ledger/ledger.ts'
import type { Actor } from '../../shared/model/actor.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let ledger: Ledger
const caretaker: Actor = { kind: 'caretaker', name: 'remodel', via: 'unknown' }
const anna = { by: person('anna'), message: 'because' }
const lock = { by: caretaker, message: 'mends', lost: ['instance/web/0'] }

beforeAll(async () => {
  server = await startRedis(['--appendfsync', 'no'])
  const settings = { url: server.url, prefix: 'test' }
  redis = connectRedis(settings, 'service')
  ledger = new Ledger(redis, settings)
})

afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

const stored = async (deployment: string, id = 'a') =>
  (await ledger.store(planOf(deployment, [remodel(id)]), Date.now())).id

test('a deployment of which nothing was said is not mended: a repair is refused, and changes nothing', async () => {
  const plan = await stored('d1')
  expect(await ledger.healings.of('d1')).toEqual({
    mode: 'off',
    by: null,
    at: null,
    message: '',
    waits: null,
    repairs: [],
  })
  expect(await ledger.open('d1', plan, lock)).toEqual({ status: 'refused' })
  expect(await ledger.lock('d1')).toBeNull()
  expect((await ledger.planRecord('d1', plan)).state).toBe('stored')
  expect((await ledger.healings.of('d1')).repairs).toEqual([])
})

test('a repair of one that is mended is opened, and remembered with what was lost', async () => {
  await ledger.healings.set('d2', 'apply', anna)
  const plan = await stored('d2')
  expect(await ledger.open('d2', plan, lock)).toEqual({ status: 'ok' })
  expect(await ledger.healings.of('d2')).toMatchObject({
    ...{ mode: 'apply', by: anna.by, message: 'because', at: expect.any(Number) },
    repairs: [{ plan, subjects: ['instance/web/0'], at: expect.any(Number) }],
  })
  expect(await ledger.healings.deployments()).toContain('d2')
})

test('a repair that is only proposed is refused; a person may open its plan', async () => {
  await ledger.healings.set('d4', 'propose', anna)
  const plan = await stored('d4')
  expect(await ledger.open('d4', plan, lock)).toEqual({ status: 'refused' })
  expect(await ledger.open('d4', plan, { by: anna.by, message: 'by hand' })).toEqual({ status: 'ok' })
  expect(await ledger.healings.deployments()).toContain('d4')
})

test('the word of a person that comes before a repair is opened counts, whenever that was planned', async () => {
  await ledger.healings.set('d3', 'apply', anna)
  const plan = await stored('d3')
  await ledger.healings.set('d3', 'off', anna)
  expect(await ledger.open('d3', plan, lock)).toEqual({ status: 'refused' })
  expect(await ledger.healings.deployments()).not.toContain('d3')
  expect(await ledger.open('d3', plan, { by: anna.by, message: 'by hand' }), 'no repair').toEqual({ status: 'ok' })
  expect((await ledger.healings.of('d3')).repairs).toEqual([])
})
