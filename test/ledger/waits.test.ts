import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RemodelDraft } from '../../kinds/contract/draft.ts'
import { type Claim, type Completion, Ledger } from '../../shared/ledger/ledger.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, released, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let ledger: Ledger
let counter = 0
const fresh = () => `d${++counter}`

beforeAll(async () => {
  server = await startRedis(['--appendfsync', 'no'])
  redis = connectRedis({ url: server.url, prefix: 'test' }, 'service')
  ledger = new Ledger(redis, { url: server.url, prefix: 'test' })
})

afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

async function opened(deployment: string, drafts: RemodelDraft[]): Promise<string> {
  const plan = await ledger.store(planOf(deployment, drafts), Date.now())
  expect(await ledger.open(deployment, plan.id, { by: person('test'), message: '' })).toEqual({ status: 'ok' })
  return plan.id
}

/** Begins what is published of a remodel, as the next worker would, when its time has come. */
async function begin(deployment: string, plan: string, id = 'a'): Promise<Claim> {
  const all = await released(ledger, deployment, plan)
  const one = all.find((item) => item.remodel === id)
  if (!one) throw new Error(`${id} is not released`)
  const [result] = await ledger.claim(deployment, 'w', [{ plan, remodel: id, job: `${id} #${one.release}` }])
  if (result?.status !== 'claimed') throw new Error(`${id} is ${result?.status}`)
  return result.claim
}

const end = async (claim: Claim, how: Omit<Completion, 'plan' | 'remodel' | 'fence'>) => {
  const { deployment, plan, fence } = claim
  const [result] = await ledger.complete(deployment, [{ plan, remodel: claim.remodel.id, fence, ...how }])
  return result!.status
}

const waits = (claim: Claim, afterMs = 0, message = 'the copy to be there') =>
  end(claim, { outcome: 'wait', message, afterMs })

const recordOf = async (deployment: string, plan: string, id = 'a') =>
  (await ledger.remodelRecords(deployment, plan)).find((record) => record.id === id)!

const started = async (deployment: string) =>
  (await ledger.events(deployment, 0)).filter(({ type }) => type === 'remodel.started').length

const untilFired = (deployment: string, plan: string) =>
  expect
    .poll(
      async () => {
        await ledger.resume(deployment, plan)
        return (await ledger.expire(deployment, plan, 0)).length
      },
      { timeout: 20_000 },
    )
    .toBe(1)

describe('a remodel that waits', () => {
  test('is in no hands, uses no attempt and says what it waits for', async () => {
    const name = fresh()
    const plan = await opened(name, [remodel('a', [], { attempts: 1 })])
    expect(await waits(await begin(name, plan), 3600_000)).toBe('recorded')
    const { state, attempt, worker, waitsFor } = await recordOf(name, plan)
    expect({ state, attempt, worker, waitsFor }).toEqual({
      state: 'waiting',
      attempt: 0,
      worker: null,
      waitsFor: 'the copy to be there',
    })
    expect(await ledger.waitsFor(name, plan, 'a')).toEqual({ state: 'waiting', waitsFor: ['the copy to be there'] })
    expect(await ledger.workersOf(name, plan)).toEqual([])
    expect((await ledger.planRecord(name, plan)).counts.running).toBe(0)
    // Not before its time, whatever is asked for: a job of an earlier release names no worker's work.
    expect((await ledger.advance(name, plan, { assemble: 10 })).released).toEqual([])
    const [early] = await ledger.claim(name, 'w2', [{ plan, remodel: 'a', job: 'a #1' }])
    expect(early).toEqual({ status: 'superseded', state: 'waiting' })
  })

  test('is looked at again as often as it takes, with larger fences, and then goes on', async () => {
    const name = fresh()
    const plan = await opened(name, [remodel('a', [], { attempts: 1 }), remodel('b', ['a'])])
    const fences: number[] = []
    for (let look = 0; look < 30; look++) {
      const claim = await begin(name, plan)
      fences.push(claim.fence)
      expect(claim.attempt).toBe(1)
      expect(await waits(claim)).toBe('recorded')
    }
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))
    const last = await begin(name, plan)
    expect(await end(last, { outcome: 'done' })).toBe('recorded')
    expect((await released(ledger, name, plan)).map((one) => one.remodel)).toEqual(['b'])
    // A history with a thousand looks hides what happened.
    expect(await started(name)).toBe(1)
    expect((await ledger.events(name, 0)).filter(({ type }) => type === 'remodel.waiting')).toHaveLength(1)
  })

  test('tells when it waits for something else', async () => {
    const name = fresh()
    const plan = await opened(name, [remodel('a')])
    await waits(await begin(name, plan), 0, 'one')
    await waits(await begin(name, plan), 0, 'two')
    const told = (await ledger.events(name, 0)).filter(({ type }) => type === 'remodel.waiting')
    expect(told.map(({ message }) => message)).toEqual(['one', 'two'])
  })

  test('tells what it does in its looks once, and again when that is something else', async () => {
    const name = fresh()
    const plan = await opened(name, [remodel('a')])
    const told = async () =>
      (await ledger.events(name, 0)).flatMap(({ type, message }) => (type === 'remodel.progress' ? [message] : []))
    for (const message of ['watching', 'watching', 'watching', 'running scripts', 'watching']) {
      const claim = await begin(name, plan)
      await end(claim, { outcome: 'progress', message })
      await waits(claim)
    }
    expect(await told()).toEqual(['watching', 'watching', 'running scripts', 'watching'])
  })

  test('has one deadline for all looks, and each of them a minute at least', async () => {
    const ends = async (deadlineSeconds: number) => {
      const name = fresh()
      const plan = await opened(name, [remodel('a', [], { deadlineSeconds })])
      const first = await begin(name, plan)
      await waits(first)
      const second = await begin(name, plan)
      return second.startedAt + second.remainingMs - (first.startedAt + first.remainingMs)
    }
    expect(await ends(3600)).toBe(0)
    expect(await ends(30)).toBeGreaterThan(0)
  })

  test('fails when its time is over though no worker looks any more', async () => {
    const name = fresh()
    const plan = await opened(name, [remodel('a', [], { deadlineSeconds: 3, attempts: 5 })])
    await waits(await begin(name, plan))
    await waits(await begin(name, plan), 3600_000)
    expect(await ledger.expire(name, plan, 600_000)).toEqual([])
    await untilFired(name, plan)
    const { state, errors } = await ledger.planRecord(name, plan)
    expect({ state, errors }).toEqual({
      state: 'failed',
      errors: [
        { remodel: 'a', code: 'deadline', message: 'waited in vain for the copy to be there: its 3 s are over' },
      ],
    })
  })

  test('fails by the deadline of its wait also when it is on its queue and no worker takes it', async () => {
    const name = fresh()
    const plan = await opened(name, [remodel('a', [], { deadlineSeconds: 1 })])
    await waits(await begin(name, plan))
    expect((await released(ledger, name, plan)).map((one) => one.remodel)).toEqual(['a'])
    await untilFired(name, plan)
    expect((await ledger.planRecord(name, plan)).state).toBe('failed')
  })

  test('forgives the attempts that ended badly before it, but not without end in a row', async () => {
    const name = fresh()
    const plan = await opened(name, [remodel('a', [], { attempts: 2 })])
    for (let round = 0; round < 3; round++) {
      expect(await end(await begin(name, plan), { outcome: 'retry', message: 'no answer' })).toBe('recorded')
      expect(await waits(await begin(name, plan))).toBe('recorded')
    }
    await end(await begin(name, plan), { outcome: 'retry', message: 'no answer' })
    await end(await begin(name, plan), { outcome: 'retry', message: 'no answer' })
    expect((await ledger.planRecord(name, plan)).state).toBe('failed')
  })

  test('is ended at once where its plan is cancelled, and where another remodel fails', async () => {
    for (const how of ['cancelled', 'failed'] as const) {
      const name = fresh()
      const plan = await opened(name, [remodel('a'), remodel('b')])
      const [a, b] = [await begin(name, plan), await begin(name, plan, 'b')]
      await waits(a, 3600_000)
      if (how === 'failed') await end(b, { outcome: 'failed', message: 'broken' })
      else {
        await ledger.cancel(name, plan, person('test'))
        await end(b, { outcome: 'failed', code: 'cancelled', message: 'stopped' })
      }
      expect((await recordOf(name, plan)).state).toBe('skipped')
      expect((await ledger.planRecord(name, plan)).state).toBe(how)
      expect(await ledger.lock(name)).toBeNull()
    }
  })

  test('goes on waiting behind its point of no return, whatever becomes of its plan', async () => {
    const name = fresh()
    const plan = await opened(name, [remodel('a')])
    const claim = await begin(name, plan)
    await end(claim, { outcome: 'no-return' })
    await waits(claim)
    await ledger.cancel(name, plan, person('test'))
    expect((await recordOf(name, plan)).state).toBe('waiting')
    await end(await begin(name, plan), { outcome: 'done' })
    expect((await ledger.planRecord(name, plan)).counts.done).toBe(1)
  })

  test('waits for as long as its report says, and no report without a time is taken', async () => {
    const name = fresh()
    const plan = await opened(name, [remodel('a', [], { deadlineSeconds: 100 * 24 * 3600 })])
    const claim = await begin(name, plan)
    for (const afterMs of [Number.NaN, -1, Number.POSITIVE_INFINITY]) await waits(claim, afterMs)
    expect((await recordOf(name, plan)).state).toBe('running')
    await waits(claim, 90 * 24 * 3600_000)
    const [now] = await redis.time()
    const until = Number(await redis.zscore(`test:{${name}}:parked`, plan)) - Number(now) * 1000
    expect(until).toBeGreaterThan(89 * 24 * 3600_000)
  })

  test('leaves nothing behind in Redis when its plan has ended', async () => {
    const name = fresh()
    const plan = await opened(name, [remodel('a')])
    await waits(await begin(name, plan))
    await end(await begin(name, plan), { outcome: 'done' })
    expect(await redis.keys(`test:{${name}}:plan:*:waits`)).toEqual([])
    expect(await redis.keys(`test:{${name}}:plan:*:later`)).toEqual([])
  })
})

describe('a remodel that a worker does not know', () => {
  const strange = (claim: Claim, code = 'unsupported') =>
    end(claim, { outcome: 'not-mine', code, message: 'a worker that knows it' })

  test('is given to another one without an attempt or a loss, less often the longer none knows it', async () => {
    const name = fresh()
    const plan = await opened(name, [remodel('a', [], { attempts: 1 })])
    const delays: number[] = []
    for (let i = 0; i < 4; i++) {
      await strange(await begin(name, plan))
      const { dueMs = 0 } = await ledger.advance(name, plan)
      delays.push(dueMs)
    }
    for (const [i, most] of [250, 500, 1000, 2000].entries()) {
      expect(delays[i]).toBeGreaterThan(most / 4)
      expect(delays[i]).toBeLessThanOrEqual(most)
    }
    const run = JSON.parse((await redis.hget(`test:{${name}}:plan:${plan}:runs`, 'a'))!)
    expect(run).toMatchObject({ attempt: 0, waits: { strange: 4 } })
    expect(run.losses).toBeUndefined()
    expect((await ledger.waitsFor(name, plan, 'a')).waitsFor).toEqual(['a worker that knows it'])
    expect(await end(await begin(name, plan), { outcome: 'done' })).toBe('recorded')
    expect((await ledger.planRecord(name, plan)).state).toBe('done')
  })

  test('waits without a deadline for a worker that does, and with one where its input cannot be read', async () => {
    const [patient, limited] = [fresh(), fresh()]
    const short = [remodel('a', [], { deadlineSeconds: 1 })]
    const plans = { patient: await opened(patient, short), limited: await opened(limited, short) }
    await strange(await begin(patient, plans.patient))
    await strange(await begin(limited, plans.limited), 'invalid-input')
    await untilFired(limited, plans.limited)
    expect((await ledger.planRecord(limited, plans.limited)).state).toBe('failed')
    expect(await ledger.expire(patient, plans.patient, 0)).toEqual([])
    expect((await ledger.planRecord(patient, plans.patient)).state).toBe('running')
  })
})

test('an attempt that a machine refused for its fence is begun again under one that is ahead of all that were lost', async () => {
  const name = fresh()
  const plan = await opened(name, [remodel('a', [], { attempts: 1 })])
  const first = await begin(name, plan)
  // A history that this Redis has lost, and that was half an hour ahead of its clock.
  const seen = first.fence + 512 * 8000 * 1800
  const refused = { outcome: 'lost', code: 'superseded', message: 'it was shown a larger fence' } as const
  await end(first, refused)
  const second = await begin(name, plan)
  expect(second.fence).toBeGreaterThan(first.fence + 512)
  await end(second, refused)
  const third = await begin(name, plan)
  expect(third.fence).toBeGreaterThan(seen)
  expect([second.attempt, third.attempt]).toEqual([1, 1])
})
