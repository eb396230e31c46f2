import Fastify, { type FastifyInstance } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventRoutes } from '../../services/planner/http/routes/events.ts'
import type { Services } from '../../services/planner/http/services.ts'
import { Client } from '../../shared/api/client.ts'
import type { Event, EventFilter } from '../../shared/api/schemas/event.ts'
import { type Completion, Ledger } from '../../shared/ledger/ledger.ts'
import type { Plan } from '../../shared/model/plan.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, released, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let ledger: Ledger
let api: FastifyInstance
let client: Client
const plans: string[] = []

const stemcell = { code: 'stemcell-changed', before: '1', after: '2' }
const remodels = [
  remodel('old', [], { reasons: [stemcell], attempts: 1 }),
  remodel('both', [], { reasons: [{ code: 'az-changed', before: null, after: 'z1' }, stemcell] }),
  remodel('new', [], { reasons: [{ code: 'instance-new' }] }),
]

beforeAll(async () => {
  server = await startRedis()
  const settings = { url: server.url, prefix: 'test' }
  redis = connectRedis(settings, 'service')
  ledger = new Ledger(redis, settings)
  api = Fastify().withTypeProvider<ZodTypeProvider>()
  api.setValidatorCompiler(validatorCompiler)
  api.setSerializerCompiler(serializerCompiler)
  eventRoutes(api as unknown as Parameters<typeof eventRoutes>[0], { ledger } as Services)
  client = new Client({ url: await api.listen({ host: '127.0.0.1', port: 0 }), source: 'option', redis: undefined })
  for (const only of ['first', 'second']) {
    const { version } = await ledger.floorplan('web')
    await carryOut(planOf('web', [...remodels, remodel(`only in the ${only}`)], { version }))
  }
})

async function carryOut(drawn: Plan): Promise<void> {
  const { id: plan, remodels } = await ledger.store(drawn, 1)
  plans.push(plan)
  expect(await ledger.open('web', plan, { by: person('test'), message: '' })).toMatchObject({ status: 'ok' })
  await released(ledger, 'web', plan)
  const wanted = remodels.map(({ id }) => ({ plan, remodel: id, job: `${id} #1` }))
  const ends: Completion[] = []
  for (const result of await ledger.claim('web', 'worker', wanted)) {
    if (result.status !== 'claimed') throw new Error(`not to be had: ${result.status}`)
    const { remodel, fence } = result.claim
    const report = { plan, remodel: remodel.id, fence }
    const failed = { ...report, outcome: 'failed', code: 'job-failed', message: 'it fails' } as const
    ends.push(remodel.id === 'old' ? failed : { ...report, outcome: 'done' })
  }
  await ledger.complete('web', ends)
  await released(ledger, 'web', plan)
  expect((await ledger.planRecord('web', plan)).state).toBe('failed')
}

afterAll(async () => {
  await api.close()
  redis.disconnect()
  await server.stop()
})

const of = (events: readonly Event[]) => events.map(({ type, remodel }) => `${type} ${remodel}`)

async function all(filter: EventFilter, limit: number): Promise<Event[]> {
  const found: Event[] = []
  for (;;) {
    const words = Object.entries(filter).map(([name, value]) => `&${name}=${value}`)
    const after = found.at(-1)?.seq ?? 0
    const answer = await api.inject(`/v1/deployments/web/events?limit=${limit}&after=${after}${words.join('')}`)
    const page = answer.json<Event[]>()
    expect(page.length).toBeLessThanOrEqual(limit)
    if (page.length === 0) return found
    found.push(...page)
  }
}

describe('events of a deployment', () => {
  test('that are asked for by the code of a reason are those of remodels with that reason, in every plan', async () => {
    const found = await client.events('web', { reason: 'stemcell-changed' })
    const each = ['remodel.started old', 'remodel.started both', 'remodel.failed old', 'remodel.done both']
    expect(of(found).sort()).toEqual([...each, ...each].sort())
    expect(of(await client.events('web', { reason: 'az-changed', plan: plans[1]! }))).toEqual([
      'remodel.started both',
      'remodel.done both',
    ])
    expect(await client.events('web', { reason: 'no-such-reason' })).toEqual([])
  })

  test('that are asked for by the code of an error are those that say it', async () => {
    const found = await client.events('web', { code: 'job-failed' })
    expect(of(found)).toEqual(['remodel.failed old', 'remodel.failed old'])
    expect(await client.events('web', { code: 'job-failed', reason: 'instance-new' })).toEqual([])
  })

  test('come in pages of any size without a gap, though whole pages before them have none', async () => {
    const whole = await client.events('web', { reason: 'instance-new' })
    expect(whole).toHaveLength(4)
    for (const limit of [1, 2, 3, 4, 5]) expect(await all({ reason: 'instance-new' }, limit)).toEqual(whole)
  })

  test('are asked for by something that is no code: refused with the place', async () => {
    expect((await api.inject('/v1/deployments/web/events?reason=No%20Code')).statusCode).toBeGreaterThanOrEqual(400)
  })

  test('of a reason are streamed too', async () => {
    const stop = new AbortController()
    const seen: Event[] = []
    const whole = await client.events('web', { reason: 'az-changed' })
    for await (const event of client.stream('web', { reason: 'az-changed' }, stop.signal)) {
      seen.push(event)
      if (seen.length === whole.length) break
    }
    stop.abort()
    expect(seen).toEqual(whole)
  })
})
