import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { releasedChannel, unlockedChannel } from '../../shared/ledger/keys.ts'
import { type Claim, Ledger, type Released, type WantedRun } from '../../shared/ledger/ledger.ts'
import { jobName } from '../../shared/queue/payloads.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, released, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let ledger: Ledger
const settings = () => ({ url: server.url, prefix: 'test' })
const lock = { by: person('test'), message: 'testing' }
let counter = 0
const fresh = () => `d${++counter}`

beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis(settings(), 'service')
  ledger = new Ledger(redis, settings())
})

afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

/** Claims everything that is released until nothing is; returns the order in which remodels were begun. */
async function begin(deployment: string, plan: string, worker = 'w') {
  const found = await released(ledger, deployment, plan)
  if (found.length === 0) return []
  const claims = await ledger.claim(
    deployment,
    worker,
    found.map(({ remodel, release, ...rest }) => ({ ...rest, remodel, job: jobName(remodel, release) })),
  )
  return claims.flatMap((result) => (result.status === 'claimed' ? [result.claim] : []))
}

const done = (claim: { plan: string; fence: number; remodel: { id: string } }) => ({
  plan: claim.plan,
  remodel: claim.remodel.id,
  fence: claim.fence,
  outcome: 'done' as const,
})

async function runAll(deployment: string, plan: string): Promise<string[]> {
  const order: string[] = []
  for (;;) {
    const claims = await begin(deployment, plan)
    if (claims.length === 0) return order
    for (const claim of claims) {
      order.push(claim.remodel.id)
      await ledger.complete(deployment, [done(claim)])
    }
  }
}

describe('a plan in the ledger', () => {
  test('runs every remodel after what it needs, barriers included, and ends done', async () => {
    const name = fresh()
    const plan = planOf(name, [
      remodel('a'),
      remodel('b'),
      remodel('both', ['a', 'b'], { action: 'barrier' }),
      remodel('c', ['both']),
      remodel('d', ['both']),
      remodel('e', ['c', 'd']),
    ])
    await ledger.store(plan, 1)
    expect(await ledger.open(name, plan.id, lock)).toEqual({ status: 'ok' })
    const order = await runAll(name, plan.id)
    expect(order.slice(0, 2).sort()).toEqual(['a', 'b'])
    expect(order.slice(2, 4).sort()).toEqual(['c', 'd'])
    expect(order[4]).toBe('e')
    expect(await ledger.planRecord(name, plan.id)).toMatchObject({
      state: 'done',
      counts: { total: 6, done: 6, failed: 0 },
    })
    expect(await ledger.lock(name)).toBeNull()
  })

  test('is read back exactly as it was stored', async () => {
    const name = fresh()
    const plan = planOf(
      name,
      Array.from({ length: 1200 }, (_, i) => remodel(`r${i}`, i ? [`r${i - 1}`] : [])),
    )
    await ledger.store(plan, 1)
    expect(await ledger.plan(name, plan.id)).toEqual(plan)
  })

  test('without remodels ends done at once', async () => {
    const name = fresh()
    const plan = planOf(name, [])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    expect((await ledger.planRecord(name, plan.id)).state).toBe('done')
  })

  test('is refused while another holds the deployment, and the holder is named', async () => {
    const name = fresh()
    const [first, second] = [planOf(name, [remodel('a')]), planOf(name, [remodel('b')])]
    await ledger.store(first, 1)
    await ledger.store(second, 2)
    await ledger.open(name, first.id, { by: person('anna'), message: 'night deploy' })
    expect(await ledger.open(name, second.id, lock)).toMatchObject({
      status: 'locked',
      lock: { holder: person('anna'), message: 'night deploy', plan: first.id },
    })
  })

  test('is refused where the floorplan moved since it was drawn', async () => {
    const name = fresh()
    const first = planOf(name, [remodel('a')])
    const second = planOf(name, [remodel('b')])
    await ledger.store(first, 1)
    await ledger.store(second, 1)
    await ledger.open(name, first.id, lock)
    const [claim] = await begin(name, first.id)
    await ledger.complete(name, [
      { ...done(claim!), floorplan: { 'thing/a': { attributes: { x: 1 }, needs: [], meta: {} } } },
    ])
    expect(await ledger.open(name, second.id, lock)).toEqual({ status: 'moved', found: 2 })
    expect((await ledger.floorplan(name)).materials).toEqual([
      { id: 'thing/a', attributes: { x: 1 }, needs: [], meta: {} },
    ])
  })
})

/** Nothing of it begins, so a plan that was drawn meanwhile may still be opened. */
const untouched = (name: string, id: string) => planOf(name, [remodel(id)])

describe('those who wait for a deployment', () => {
  test('get it in the order of arrival, and only the one whose turn it is is woken', async () => {
    const name = fresh()
    const [first, second, third] = [untouched(name, 'a'), untouched(name, 'b'), untouched(name, 'c')]
    for (const plan of [first, second, third]) await ledger.store(plan, 1)
    const subscriber = connectRedis(settings(), 'service')
    const woken: string[] = []
    subscriber.on('message', (_channel, waiter: string) => woken.push(waiter))
    await subscriber.subscribe(unlockedChannel(settings()))
    await ledger.open(name, first.id, lock)
    expect(await ledger.open(name, second.id, lock, 'bert')).toMatchObject({ status: 'locked' })
    expect(await ledger.open(name, third.id, lock, 'cora')).toMatchObject({ status: 'locked' })
    await ledger.cancel(name, first.id, person('me'))
    await expect.poll(() => woken).toEqual(['bert'])
    expect(await ledger.open(name, third.id, lock, 'cora')).toMatchObject({ status: 'locked' })
    expect(await ledger.open(name, third.id, lock)).toMatchObject({ status: 'locked' })
    expect(await ledger.open(name, second.id, lock, 'bert')).toEqual({ status: 'ok' })
    await ledger.cancel(name, second.id, person('me'))
    await expect.poll(() => woken).toEqual(['bert', 'cora'])
    subscriber.disconnect()
  })

  test('and went away do not hold up those behind them', async () => {
    const name = fresh()
    const [first, second] = [untouched(name, 'a'), untouched(name, 'b')]
    for (const plan of [first, second]) await ledger.store(plan, 1)
    await ledger.open(name, first.id, lock)
    await ledger.open(name, second.id, lock, 'gone')
    await redis.del(`${ledger.base(name)}:line:gone`)
    await ledger.cancel(name, first.id, person('me'))
    expect(await ledger.open(name, second.id, lock, 'here')).toEqual({ status: 'ok' })
  })

  test('and went away before the clock of Redis was set back hold up for seconds only', async () => {
    const name = fresh()
    const [first, second] = [untouched(name, 'a'), untouched(name, 'b')]
    for (const plan of [first, second]) await ledger.store(plan, 1)
    await ledger.open(name, first.id, lock)
    await ledger.open(name, second.id, lock, 'gone')
    // What a step of the clock by an hour leaves.
    await redis.pexpire(`${ledger.base(name)}:line:gone`, 3_600_000)
    await ledger.cancel(name, first.id, person('me'))
    await expect
      .poll(() => ledger.open(name, second.id, lock, 'here'), { timeout: 20_000, interval: 200 })
      .toEqual({ status: 'ok' })
  }, 30_000)
})

describe('windows', () => {
  test('never give more permits than their limit, and give a free one at once', async () => {
    const name = fresh()
    const hosts = ['h0', 'h1', 'h2', 'h3', 'h4']
    const plan = planOf(
      name,
      hosts.flatMap((host) => [
        remodel(`stop ${host}`, [], { permit: host }),
        remodel(`start ${host}`, [`stop ${host}`], { permit: host }),
      ]),
      { windows: [{ name: 'update', limit: 2 }], permits: hosts.map((host) => ({ name: host, windows: ['update'] })) },
    )
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    const stopped = await begin(name, plan.id)
    expect(stopped.map((claim) => claim.remodel.id)).toEqual(['stop h0', 'stop h1'])
    await ledger.complete(name, [done(stopped[0]!)])
    const [start] = await begin(name, plan.id)
    expect(start?.remodel.id).toBe('start h0')
    await ledger.complete(name, [done(start!)])
    expect((await begin(name, plan.id)).map((claim) => claim.remodel.id)).toEqual(['stop h2'])
  })
})

describe('failure', () => {
  test('starts nothing more but cleanup and independent work, and reports the root cause once', async () => {
    const name = fresh()
    const plan = planOf(name, [
      remodel('bad'),
      remodel('running'),
      remodel('after bad', ['bad']),
      remodel('after running', ['running']),
      remodel('package', ['running'], { when: 'independent' }),
      remodel('cleanup', ['after bad', 'after running'], { when: 'always' }),
    ])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    const claims = await begin(name, plan.id)
    const bad = claims.find((claim) => claim.remodel.id === 'bad')!
    const running = claims.find((claim) => claim.remodel.id === 'running')!
    await ledger.complete(name, [
      { ...done(bad), outcome: 'failed', code: 'job-failed', message: 'it broke', log: 'last line' },
    ])
    await ledger.complete(name, [done(running)])
    expect((await runAll(name, plan.id)).sort()).toEqual(['cleanup', 'package'])
    expect(await ledger.planRecord(name, plan.id)).toMatchObject({
      state: 'failed',
      counts: { done: 3, failed: 1, skipped: 2 },
      errors: [{ remodel: 'bad', code: 'job-failed', message: 'it broke', log: 'last line' }],
    })
  })

  test('of the infrastructure is tried again, at most as often as the plan allows, and then blamed', async () => {
    const name = fresh()
    const plan = planOf(name, [remodel('a', [], { attempts: 2 })])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    for (const attempt of [1, 2]) {
      const [claim] = await begin(name, plan.id)
      expect(claim?.attempt).toBe(attempt)
      await ledger.complete(name, [
        { ...done(claim!), outcome: 'retry', code: 'infrastructure', message: 'machine went away' },
      ])
    }
    const record = await ledger.planRecord(name, plan.id)
    expect(record.state).toBe('failed')
    expect(record.errors[0]?.message).toContain('attempt 2 of 2')
  })

  test('of workers that vanish again and again is blamed on the remodel by name', async () => {
    const name = fresh()
    const plan = planOf(name, [remodel('killer', [], { attempts: 2 })])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    const work = [{ plan: plan.id, remodel: 'killer', job: 'killer #1' }]
    for (let i = 0; i < 2; i++) expect((await ledger.claim(name, `w${i}`, work))[0]?.status).toBe('claimed')
    expect((await ledger.claim(name, 'w3', work))[0]?.status).toBe('superseded')
    const record = await ledger.planRecord(name, plan.id)
    expect(record.errors[0]?.message).toContain('killer was begun 2 times and never ended')
  })
})

describe('a stall is not a crash', () => {
  async function opened(attempts = 2) {
    const name = fresh()
    const plan = planOf(name, [remodel('long', [], { attempts })])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    const claim = async (worker: string, over: WantedRun['over'] = 'any') => {
      const [result] = await ledger.claim(name, worker, [{ plan: plan.id, remodel: 'long', job: 'long #1', over }])
      return result!
    }
    const claimed = async (worker: string, over?: WantedRun['over']) => {
      const result = await claim(worker, over)
      if (result.status !== 'claimed') throw new Error(`not claimed: ${result.status}`)
      return result.claim
    }
    return { name, plan: plan.id, claim, claimed }
  }

  test('four deliveries of a job to the same worker are one attempt, each under a new fence', async () => {
    const { claimed, name, plan } = await opened()
    const claims = [await claimed('w'), await claimed('w'), await claimed('w'), await claimed('w')]
    expect(claims.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1])
    expect(new Set(claims.map(({ fence }) => fence)).size).toBe(4)
    expect(await ledger.complete(name, [done(claims[0]!)])).toEqual([{ status: 'superseded' }])
    expect(await ledger.complete(name, [done(claims[3]!)])).toEqual([{ status: 'recorded' }])
    expect((await ledger.planRecord(name, plan)).state).toBe('done')
  })

  test('what a worker that lives gives back uses no attempt, however often', async () => {
    const { name, plan } = await opened()
    for (let i = 1; i <= 6; i++) {
      const job = `long #${i}`
      const [result] = await ledger.claim(name, 'w', [{ plan, remodel: 'long', job }])
      if (result?.status !== 'claimed') throw new Error('not claimed')
      expect(result.claim.attempt).toBe(1)
      expect(await ledger.isCurrent(result.claim)).toBe(true)
      await ledger.complete(name, [{ ...done(result.claim), outcome: 'lost', code: 'superseded', message: 'x', job }])
      expect(await ledger.isCurrent(result.claim)).toBe(false)
    }
    expect((await ledger.remodelRecords(name, plan))[0]).toMatchObject({ state: 'released', attempt: 0 })
  })

  test('but not for ever', async () => {
    const { name, plan, claimed } = await opened()
    for (let i = 0; i < 1002; i++) await claimed('w').catch(() => {})
    const { state, errors } = await ledger.planRecord(name, plan)
    expect({ state, message: errors[0]?.message }).toEqual({
      state: 'failed',
      message: 'long was lost by workers that live 1000 times',
    })
  })

  test('what another worker has is taken over only under the fence that was asked about', async () => {
    const { claim, claimed } = await opened()
    const first = await claimed('w1')
    expect(await claim('w2', 'none')).toEqual({ status: 'held', worker: 'w1', fence: first.fence })
    expect(await claim('w2', { fence: first.fence - 1, loss: true })).toMatchObject({ status: 'held' })
    const second = await claimed('w2', { fence: first.fence, loss: true })
    expect(second).toMatchObject({ attempt: 1 })
    expect(second.fence).toBeGreaterThan(first.fence)
    expect(await claimed('w3', { fence: second.fence, loss: false })).toMatchObject({ attempt: 2 })
  })
})

describe('fences', () => {
  test('grow with every claim of a deployment, and an older one can record nothing', async () => {
    const name = fresh()
    const plan = planOf(name, [remodel('a', [], { attempts: 10 })])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    const work = [{ plan: plan.id, remodel: 'a', job: 'a #1' }]
    const claims: Claim[] = []
    for (let i = 0; i < 10; i++) {
      const [result] = await ledger.claim(name, `w${i}`, work)
      if (result?.status !== 'claimed') throw new Error('not claimed')
      claims.push(result.claim)
    }
    const fences = claims.map(({ fence }) => fence)
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))
    const [old, young] = [{ claim: claims.at(-2)! }, { claim: claims.at(-1)! }]
    const delta = { floorplan: { 'thing/a': { attributes: {}, needs: [], meta: {} } } }
    expect(await ledger.complete(name, [{ ...done(old.claim), ...delta }])).toEqual([{ status: 'superseded' }])
    expect((await ledger.floorplan(name)).materials).toEqual([])
    expect(await ledger.complete(name, [{ ...done(young.claim), ...delta }])).toEqual([{ status: 'recorded' }])
    expect(await ledger.complete(name, [{ ...done(young.claim), ...delta }])).toEqual([{ status: 'superseded' }])
    expect((await ledger.floorplan(name)).materials).toHaveLength(1)
  })
})

describe('owed fences', () => {
  const opened = async (attempts = 5) => {
    const name = fresh()
    const plan = planOf(name, [remodel('a', [], { attempts }), remodel('b', ['a'])])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    return { name, id: plan.id, claim: async (worker = 'w') => (await begin(name, plan.id, worker))[0]! }
  }

  test('are written down for attempts that a forced unlock ends, above every number that was drawn', async () => {
    const { name, id, claim } = await opened()
    const { fence } = await claim()
    await ledger.cancel(name, id, person('a person'), true)
    const [owed, ...others] = await ledger.owed(name)
    expect(others).toEqual([])
    expect(owed).toEqual({ material: 'thing/a', fence: expect.any(Number), left: null })
    expect(owed!.fence).toBeGreaterThan(fence)
  })

  test('are written down where a worker that is gone leaves the last attempt, or a plan that starts nothing any more', async () => {
    const last = await opened(1)
    await last.claim('lost')
    await ledger.expire(last.name, last.id, 0, { gone: ['lost'] })
    expect(await ledger.owed(last.name)).toMatchObject([{ material: 'thing/a' }])
    const stopping = await opened()
    await stopping.claim('lost')
    await ledger.cancel(stopping.name, stopping.id, person('a person'))
    expect(await ledger.owed(stopping.name)).toEqual([])
    await ledger.expire(stopping.name, stopping.id, 0, { gone: ['lost'] })
    expect(await ledger.owed(stopping.name)).toMatchObject([{ material: 'thing/a' }])
  })

  test('are written down for the attempt after which none is left, and for one whose next attempt never begins', async () => {
    const crashing = await opened(1)
    const work = [{ plan: crashing.id, remodel: 'a', job: 'a #1' }]
    await ledger.claim(crashing.name, 'w1', work)
    await ledger.claim(crashing.name, 'w2', work)
    expect(await ledger.owed(crashing.name)).toMatchObject([{ material: 'thing/a' }])
    const again = await opened()
    await again.claim('lost')
    await ledger.expire(again.name, again.id, 0, { gone: ['lost'] })
    expect(await ledger.owed(again.name)).toEqual([])
    await ledger.cancel(again.name, again.id, person('a person'))
    expect(await ledger.owed(again.name)).toMatchObject([{ material: 'thing/a' }])
  })

  test('are not owed for attempts that their own worker ended, nor where a later attempt succeeded', async () => {
    const { name, id, claim } = await opened()
    await claim('lost')
    await ledger.expire(name, id, 0, { gone: ['lost'] })
    await new Promise((resolve) => setTimeout(resolve, 150))
    await ledger.complete(name, [done(await claim())])
    const [b] = await ledger.claim(name, 'w', [{ plan: id, remodel: 'b', job: 'b #1' }])
    if (b?.status !== 'claimed') throw new Error('not claimed')
    await ledger.complete(name, [{ ...done(b.claim), outcome: 'failed', code: 'job-failed', message: 'x' }])
    expect((await ledger.planRecord(name, id)).state).toBe('failed')
    expect(await ledger.owed(name)).toEqual([])
  })

  test('are handed to every claim until all machines were shown them, and one that was replaced meanwhile stays', async () => {
    const { name, id, claim } = await opened()
    expect((await claim()).owes).toBe(false)
    await ledger.cancel(name, id, person('a person'), true)
    const [owed] = await ledger.owed(name)
    const plan = planOf(name, [remodel('c')], { version: (await ledger.floorplan(name)).version })
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    const work = [{ plan: plan.id, remodel: 'c', job: 'c #1' }]
    expect(await ledger.claim(name, 'w', work)).toMatchObject([{ claim: { owes: true } }])
    await ledger.paid(name, [{ ...owed!, left: ['silent'] }])
    expect(await ledger.owed(name)).toEqual([{ ...owed, left: ['silent'] }])
    await ledger.paid(name, [{ ...owed!, fence: owed!.fence - 1, left: [] }])
    expect(await ledger.owed(name)).toHaveLength(1)
    await ledger.paid(name, [{ ...owed!, left: [] }])
    expect(await ledger.claim(name, 'w', work)).toMatchObject([{ claim: { owes: false } }])
  })
})

describe('a job that goes on to further remodels', () => {
  test('takes a ready one along in the same step, and nothing where its plan or its queue has none', async () => {
    const name = fresh()
    const plan = planOf(name, [remodel('a'), remodel('b', ['a']), remodel('far', ['a'], { queue: 'assemble-far' })])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    const [a] = await begin(name, plan.id)
    const [first] = await ledger.complete(name, [{ ...done(a!), job: 'a #1', take: 'assemble' }])
    expect(first?.next?.remodel.id).toBe('b')
    const [second] = await ledger.complete(name, [{ ...done(first!.next!), job: 'a #1', take: 'assemble' }])
    expect(second).toEqual({ status: 'recorded' })
    expect((await ledger.remodelRecords(name, plan.id)).map(({ id, state }) => [id, state]).sort()).toEqual([
      ['a', 'done'],
      ['b', 'done'],
      ['far', 'released'],
    ])
  })

  test('goes on with the one it carried when it is delivered again, and no other job can take that one away', async () => {
    const name = fresh()
    const plan = planOf(name, [remodel('a'), remodel('b', ['a'])])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    const [a] = await begin(name, plan.id)
    const [taken] = await ledger.complete(name, [{ ...done(a!), job: 'a #1', take: 'assemble' }])
    const other = await ledger.claim(name, 'w2', [{ plan: plan.id, remodel: 'b', job: 'b #1' }])
    expect(other).toEqual([{ status: 'superseded', state: 'running' }])
    const [again] = await ledger.claim(name, 'w3', [{ plan: plan.id, remodel: 'a', job: 'a #1' }])
    if (again?.status !== 'claimed') throw new Error('not claimed')
    expect(again.claim.remodel.id).toBe('b')
    expect(again.claim.fence).toBeGreaterThan(taken!.next!.fence)
    expect(await ledger.complete(name, [done(taken!.next!)])).toEqual([{ status: 'superseded' }])
    expect(await ledger.complete(name, [done(again.claim)])).toEqual([{ status: 'recorded' }])
  })
})

describe('workers that are gone', () => {
  test('give their remodels to others, though their job is gone as well', async () => {
    const name = fresh()
    const plan = planOf(name, [remodel('a')])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    await begin(name, plan.id, 'lost')
    expect(await ledger.workersOf(name, plan.id)).toEqual(['lost'])
    expect(await ledger.expire(name, plan.id, 1000, { gone: ['lost'] })).toEqual(['a'])
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect(await runAll(name, plan.id)).toEqual(['a'])
  })
})

describe('deadlines', () => {
  test('fire without the worker and without the planner that set them', async () => {
    const name = fresh()
    const plan = planOf(name, [
      remodel('slow', [], { deadlineSeconds: 0.05, attempts: 1 }),
      remodel('ok?', [], { action: 'approve', deadlineSeconds: 0.05 }),
    ])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    await begin(name, plan.id)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await ledger.expire(name, plan.id, 0)).toHaveLength(2)
    const record = await ledger.planRecord(name, plan.id)
    expect(record.state).toBe('failed')
    expect(record.errors[0]).toMatchObject({ code: 'deadline' })
  })
})

describe('approvals', () => {
  test('hold back what needs them until a person decides', async () => {
    const name = fresh()
    const plan = planOf(name, [
      remodel('sure?', [], { action: 'approve', deadlineSeconds: 1000 }),
      remodel('a', ['sure?']),
    ])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    expect(await begin(name, plan.id)).toEqual([])
    await ledger.decide(name, plan.id, { remodel: 'sure?', approve: true, by: person('anna') })
    expect(await runAll(name, plan.id)).toEqual(['a'])
    await expect(
      ledger.decide(name, plan.id, { remodel: 'sure?', approve: true, by: person('anna') }),
    ).rejects.toMatchObject({
      code: 'conflict',
    })
  })
})

describe('cancelling', () => {
  test('skips what has not begun, lets cleanup run, and ends cancelled when running work has ended', async () => {
    const name = fresh()
    const plan = planOf(name, [remodel('a'), remodel('b', ['a']), remodel('tidy', ['b'], { when: 'always' })])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    const [claim] = await begin(name, plan.id)
    expect(await ledger.cancel(name, plan.id, person('anna'))).toBe('cancelling')
    await ledger.complete(name, [{ ...done(claim!), outcome: 'failed', code: 'cancelled', message: 'stopped' }])
    expect(await runAll(name, plan.id)).toEqual(['tidy'])
    expect(await ledger.planRecord(name, plan.id)).toMatchObject({
      state: 'cancelled',
      counts: { done: 1, skipped: 2 },
      errors: [],
      moreErrors: 0,
    })
  })

  test('by force ends the plan at once and supersedes what runs', async () => {
    const name = fresh()
    const plan = planOf(name, [remodel('a'), remodel('b', ['a'])])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    const [claim] = await begin(name, plan.id)
    expect(await ledger.cancel(name, plan.id, person('anna'), true)).toBe('cancelled')
    expect(await ledger.complete(name, [done(claim!)])).toEqual([{ status: 'superseded' }])
    expect(await ledger.lock(name)).toBeNull()
  })
})

describe('events', () => {
  test('have no gap and tell who did what with which fence', async () => {
    const name = fresh()
    const plan = planOf(name, [remodel('a'), remodel('b', ['a'])])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    await runAll(name, plan.id)
    const events = await ledger.events(name, 0)
    expect(events.map((event) => event.seq)).toEqual(events.map((_, i) => i + 1))
    expect(events.map((event) => event.type)).toEqual([
      'plan.started',
      'remodel.started',
      'remodel.done',
      'remodel.started',
      'remodel.done',
      'plan.done',
    ])
    expect(events[1]).toMatchObject({ remodel: 'a', worker: 'w', attempt: 1, fence: expect.any(Number) })
    expect(events[2]?.fence).toBe(events[1]?.fence)
    expect(Number.isSafeInteger(events[1]?.fence)).toBe(true)
    expect(await ledger.events(name, 4)).toHaveLength(2)
  })

  test('announce released work on the channel in the same step', async () => {
    const name = fresh()
    const subscriber = connectRedis(settings(), 'service')
    const heard: Released[] = []
    subscriber.on('message', (_channel, text: string) => heard.push(...(JSON.parse(text).released ?? [])))
    await subscriber.subscribe(releasedChannel(settings()))
    const plan = planOf(name, [remodel('a', [], { weight: 5 })])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, lock)
    await expect
      .poll(() => heard)
      .toEqual([{ plan: plan.id, remodel: 'a', queue: 'assemble', release: 1, weight: 5, ahead: 0 }])
    subscriber.disconnect()
  })
})
