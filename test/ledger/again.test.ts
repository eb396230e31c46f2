import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { jobId } from '../../shared/queue/payloads.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let ledger: Ledger
const settings = () => ({ url: server.url, prefix: 'test' })
const lock = { by: person('test'), message: 'testing' }
const dayMs = 24 * 3600 * 1000
let counter = 0
const fresh = () => `d${++counter}`

beforeAll(async () => {
  server = await startRedis(['--appendfsync', 'no'])
  redis = connectRedis(settings(), 'service')
  ledger = new Ledger(redis, settings())
})

afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

const stored = (deployment: string, ids: string[], at = Date.now()) =>
  ledger.store(
    planOf(
      deployment,
      ids.map((id) => remodel(id)),
    ),
    at,
  )

async function begin(deployment: string, plan: string, id: string) {
  const [result] = await ledger.claim(deployment, 'w', [{ plan, remodel: id, job: `${id} #1` }])
  if (result?.status !== 'claimed') throw new Error(`${id} is ${result?.status}`)
  return result.claim
}

/**
 * Sends each call of a script twice, as a client does that lost the connection before the answer;
 * the second answer counts.
 */
async function sentTwice<Result>(script: string, work: () => Promise<Result>): Promise<Result> {
  const commands = redis as unknown as Record<string, (...words: unknown[]) => Promise<string>>
  const send = commands[script]!.bind(redis)
  commands[script] = async (...words) => {
    await send(...words)
    return send(...words)
  }
  try {
    return await work()
  } finally {
    commands[script] = send
  }
}

describe('a command that is sent again after its answer was lost', () => {
  test('is recognised where it opened a plan, also when that plan is over', async () => {
    const name = fresh()
    const { id } = await stored(name, ['a'])
    expect(await sentTwice('ledger_open', () => ledger.open(name, id, lock))).toEqual({ status: 'ok' })
    const empty = fresh()
    const over = await stored(empty, [])
    expect(await sentTwice('ledger_open', () => ledger.open(empty, over.id, lock))).toEqual({ status: 'ok' })
    expect(await ledger.open(name, id, lock)).toEqual({ status: 'state', found: 'running' })
  })

  test('is recognised where it decided an approval, either way', async () => {
    for (const approve of [true, false]) {
      const name = fresh()
      const plan = planOf(name, [remodel('sure?', [], { action: 'approve', deadlineSeconds: 1000 })])
      await ledger.store(plan, Date.now())
      await ledger.open(name, plan.id, lock)
      await sentTwice('ledger_decide', () =>
        ledger.decide(name, plan.id, { remodel: 'sure?', approve, by: person('anna') }),
      )
      await expect(
        ledger.decide(name, plan.id, { remodel: 'sure?', approve, by: person('anna') }),
      ).rejects.toMatchObject({
        code: 'conflict',
      })
    }
  })
})

describe('a plan that was drawn before work began', () => {
  test('is refused though that work failed and recorded nothing', async () => {
    const name = fresh()
    const [one, two] = [await stored(name, ['create-vm']), await stored(name, ['create-vm', 'other'])]
    await ledger.open(name, one.id, lock)
    const { fence } = await begin(name, one.id, 'create-vm')
    const during = await ledger.floorplan(name)
    await ledger.complete(name, [
      { plan: one.id, remodel: 'create-vm', fence, outcome: 'failed', code: 'infrastructure', message: 'half made' },
    ])
    expect(await ledger.open(name, two.id, lock)).toMatchObject({ status: 'moved' })
    expect((await ledger.floorplan(name)).version).toBeGreaterThan(during.version)
  })
})

describe('a batch of reports', () => {
  test('is recorded but for what is no report', async () => {
    const name = fresh()
    const { id } = await stored(name, ['a', 'b', 'c'])
    await ledger.open(name, id, lock)
    const claims = await Promise.all(['a', 'b', 'c'].map((one) => begin(name, id, one)))
    const [a, b, c] = claims.map(({ remodel: { id: remodel }, fence }) => ({ plan: id, remodel, fence }))
    const broken = { ...b!, outcome: 'failed' as const, message: 7 as unknown as string }
    expect(await ledger.complete(name, [{ ...a!, outcome: 'done' }, broken, { ...c!, outcome: 'done' }])).toEqual([
      { status: 'recorded' },
      { status: 'superseded' },
      { status: 'recorded' },
    ])
    const states = (await ledger.remodelRecords(name, id)).map(({ state }) => state)
    expect(states).toEqual(['done', 'running', 'done'])
  })

  test('that an error cut off leaves nothing blocked for ever', async () => {
    const name = fresh()
    const plan = planOf(name, [remodel('a'), remodel('b', ['a']), remodel('busy')])
    await ledger.store(plan, Date.now())
    await ledger.open(name, plan.id, lock)
    const key = `${ledger.base(name)}:plan:${plan.id}`
    expect(await ledger.mend(name, plan.id)).toBe(0)
    // What is left where a script ends after it settled `a`: its dependant was informed, and nothing more.
    await redis.hset(`${key}:state`, 'a', 'done')
    await redis.hset(`${key}:unmet`, 'b', 0)
    expect(await ledger.mend(name, plan.id)).toBe(1)
    expect((await ledger.remodelRecords(name, plan.id)).find(({ id }) => id === 'b')?.state).toBe('released')
  })
})

describe('ids of jobs', () => {
  test('are different for different releases, whatever remodels are called', () => {
    const names = ['a:b', 'a_b', 'a_cb', 'a.b', 'a_db', 'a__b', 'a', 'b.1', '_', ':', '.']
    const ids = names.flatMap((plan) => names.flatMap((id) => [1, 2].map((release) => jobId(plan, id, release))))
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.join('')).not.toContain(':')
  })
})

describe('retention', () => {
  test('leaves a plan alone that is opened while it looks', async () => {
    const name = fresh()
    const { id } = await stored(name, ['a'], Date.now() - dayMs - 3600_000)
    const real = redis.hmget.bind(redis)
    let answer: unknown
    redis.hmget = (async (...words: Parameters<typeof real>) => {
      const found = await real(...words)
      answer ??= await ledger.open(name, id, lock)
      return found
    }) as typeof redis.hmget
    expect(await ledger.retention.forget(name, 50, dayMs, Date.now())).toBe(0)
    redis.hmget = real
    expect(answer).toEqual({ status: 'ok' })
    expect((await ledger.planRecord(name, id)).state).toBe('running')
  })

  test('takes a plan that was handed out again for as new as that', async () => {
    const name = fresh()
    const { id } = await stored(name, ['a'], Date.now() - dayMs + 1000)
    expect((await stored(name, ['a'])).id).toBe(id)
    expect(await ledger.retention.forget(name, 50, dayMs, Date.now() + 2000)).toBe(0)
    expect(await ledger.open(name, id, lock)).toEqual({ status: 'ok' })
  })

  test('leaves a plan on the lists that is drawn again just when it is forgotten', async () => {
    const name = fresh()
    const { id } = await stored(name, ['a'], Date.now() - 2 * dayMs)
    const real = redis.hdel.bind(redis)
    let again: Promise<{ id: string }> | undefined
    // Its keys are gone, its places in the lists are not yet.
    redis.hdel = (async (...words: Parameters<typeof real>) => {
      again ??= stored(name, ['a'])
      await again
      return real(...words)
    }) as typeof redis.hdel
    expect(await ledger.retention.forget(name, 50, dayMs, Date.now())).toBe(0)
    redis.hdel = real
    expect(await again).toMatchObject({ id })
    expect(await ledger.deploymentOfPlan(id)).toBe(name)
    expect(await ledger.planIds(name, 10)).toEqual([id])
    expect(await ledger.open(name, id, lock)).toEqual({ status: 'ok' })
  })

  test('goes on with a plan whose keys were deleted when its process died', async () => {
    const name = fresh()
    const { id } = await stored(name, ['a'], Date.now() - 2 * dayMs)
    const real = redis.hdel.bind(redis)
    redis.hdel = (async () => Promise.reject(new Error('gone'))) as typeof redis.hdel
    await expect(ledger.retention.forget(name, 50, dayMs, Date.now())).rejects.toThrow('gone')
    redis.hdel = real
    expect(await ledger.planIds(name, 10)).toEqual([id])
    expect(await ledger.retention.forget(name, 50, dayMs, Date.now())).toBe(1)
    expect(await ledger.planIds(name, 10)).toEqual([])
    expect(await redis.hget('test:plans', id)).toBeNull()
  })
})

describe('a lock whose plan is gone', () => {
  async function orphan() {
    const name = fresh()
    const { id } = await stored(name, ['a'])
    await ledger.open(name, id, lock)
    await redis.del(`${ledger.base(name)}:plan:${id}`)
    expect(await ledger.lock(name)).not.toBeNull()
    return { name, id }
  }

  test('is taken away by force', async () => {
    const { name, id } = await orphan()
    expect(await ledger.cancel(name, id, person('me'), true)).toBe('absent')
    expect(await ledger.lock(name)).toBeNull()
  })

  test('is taken away by the next plan and by the sweep', async () => {
    const { name } = await orphan()
    const next = await stored(name, ['b'])
    expect(await ledger.open(name, next.id, lock)).toEqual({ status: 'ok' })
    const other = await orphan()
    await ledger.expire(other.name, other.id, 0)
    expect(await ledger.lock(other.name)).toBeNull()
  })
})
