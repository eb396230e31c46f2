import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { releasedChannel } from '../../shared/ledger/keys.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { Recorder } from '../../shared/ledger/recorder.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, released, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let other: Redis
/** Works in small pieces, so that small plans take many of them. */
let ledger: Ledger
let usual: Ledger
const sizes = { slice: 10, part: 4 }
const settings = () => ({ url: server.url, prefix: 'test' })
const lock = { by: person('test'), message: 'testing' }
let counter = 0
const fresh = () => `d${++counter}`
const many = (count: number) => Array.from({ length: count }, (_, i) => i)

beforeAll(async () => {
  server = await startRedis(['--appendfsync', 'no'])
  redis = connectRedis(settings(), 'service')
  ledger = new Ledger(redis, settings(), sizes)
  // A connection has its scripts once, of one size.
  other = connectRedis(settings(), 'service')
  usual = new Ledger(other, settings())
})

afterAll(async () => {
  redis.disconnect()
  other.disconnect()
  await server.stop()
})

async function opened(...plan: Parameters<typeof planOf> extends [string, ...infer Rest] ? Rest : never) {
  const deployment = fresh()
  const { id } = await ledger.store(planOf(deployment, ...plan), Date.now())
  expect(await ledger.open(deployment, id, lock)).toEqual({ status: 'ok' })
  const claim = async (remodel: string) =>
    (await ledger.claim(deployment, 'w', [{ plan: id, remodel, job: remodel }]))[0]!
  const end = async (remodel: string, outcome: 'done' | 'failed' = 'done') => {
    const result = await claim(remodel)
    if (result.status !== 'claimed') throw new Error(`${remodel} is ${result.status}`)
    const report = { plan: id, remodel, fence: result.claim.fence, outcome, code: 'job-failed', message: 'broke' }
    return ledger.complete(deployment, [report])
  }
  const states = async () =>
    Object.fromEntries((await ledger.remodelRecords(deployment, id)).map((one) => [one.id, one.state]))
  const count = async (state: string) => Object.values(await states()).filter((one) => one === state).length
  return { deployment, id, claim, end, states, count }
}

describe('a plan of any size', () => {
  test('is stored with 100,000 remodels and 20,000 permits, and opened, a part at a time', async () => {
    const deployment = fresh()
    const permits = many(20_000).map((i) => ({ name: `p${i}`, windows: ['all'] }))
    const drawn = planOf(
      deployment,
      many(100_000).map((i) => remodel(`r${i}`, [], { permit: `p${i % 20_000}` })),
      { windows: [{ name: 'all', limit: 20_000 }], permits },
    )
    const { id } = await usual.store(drawn, Date.now())
    expect(id).toBe(drawn.id)
    expect(await usual.open(deployment, id, lock)).toEqual({ status: 'ok' })
    expect((await usual.advance(deployment, id)).isMore).toBe(true)
    expect((await usual.planRecord(deployment, id)).counts.total).toBe(100_000)
  }, 120_000)

  test('is read back as it was stored, though each of its lists is longer than a part', async () => {
    const deployment = fresh()
    const plan = planOf(
      deployment,
      [
        remodel('hub'),
        ...many(30).map((i) => remodel(`m${i}`, ['hub'], { permit: `p${i}` })),
        remodel(
          'last',
          many(30).map((i) => `m${i}`),
        ),
      ],
      {
        windows: many(9).map((i) => ({ name: `w${i}`, limit: 1 })),
        permits: many(30).map((i) => ({ name: `p${i}`, windows: [`w${i % 9}`] })),
      },
    )
    await ledger.store(plan, Date.now())
    expect(await ledger.plan(deployment, plan.id)).toEqual(plan)
    expect((await ledger.remodel(deployment, plan.id, 'last')).needs).toHaveLength(30)
  })

  test('is opened in slices: no script works off more than its slice and the part that it is at', async () => {
    const { deployment, id, count } = await opened(many(200).map((i) => remodel(`r${i}`)))
    let before = await count('released')
    expect(before).toBeLessThanOrEqual(sizes.slice + sizes.part)
    for (let isMore = true; isMore; before = await count('released')) {
      isMore = (await ledger.advance(deployment, id)).isMore
      expect((await count('released')) - before).toBeLessThanOrEqual(sizes.slice + sizes.part)
    }
    expect(before).toBe(200)
  })

  test('tells the dependants of a hub in slices, each once', async () => {
    const { deployment, id, end, count } = await opened([
      remodel('hub'),
      ...many(100).map((i) => remodel(`m${i}`, ['hub'])),
      remodel(
        'last',
        many(100).map((i) => `m${i}`),
      ),
    ])
    await end('hub')
    expect(await count('released')).toBeLessThanOrEqual(sizes.slice + sizes.part)
    const found = (await released(ledger, deployment, id)).map((one) => one.remodel)
    expect(found.sort()).toEqual(
      many(100)
        .map((i) => `m${i}`)
        .sort(),
    )
    for (const i of many(99)) await end(`m${i}`)
    expect((await ledger.waitsFor(deployment, id, 'last')).waitsFor).toEqual(['m99 (released)'])
    await end('m99')
    await end('last')
    expect((await ledger.planRecord(deployment, id)).state).toBe('done')
  })

  test('stops in slices: nothing is begun meanwhile, and cleanup comes when all before it is settled', async () => {
    const { deployment, id, claim, end, states, count } = await opened([
      remodel('bad'),
      ...many(100).map((i) => remodel(`m${i}`)),
      remodel('tidy', ['bad', ...many(100).map((i) => `m${i}`)], { when: 'always' }),
    ])
    await released(ledger, deployment, id)
    await end('bad', 'failed')
    expect(await count('released')).toBeGreaterThan(50)
    expect(await claim('m99')).toEqual({ status: 'superseded', state: 'skipped' })
    for (let isMore = true; isMore; ) {
      expect((await states()).tidy).toBe((await count('skipped')) < 100 ? 'blocked' : 'released')
      isMore = (await ledger.advance(deployment, id)).isMore
    }
    expect((await ledger.planRecord(deployment, id)).state).toBe('failing')
    await end('tidy')
    expect(await ledger.planRecord(deployment, id)).toMatchObject({
      state: 'failed',
      counts: { done: 1, failed: 1, skipped: 100 },
    })
  })

  test('publishes nothing that it may not begin any more once it stops: only the cleanup behind it', async () => {
    const { deployment, id, claim, end, states } = await opened([
      remodel('bad'),
      ...many(100).map((i) => remodel(`m${i}`)),
      remodel('tidy', ['bad'], { when: 'always' }),
      ...many(100).map((i) => remodel(`n${i}`)),
    ])
    const allowance = { assemble: 3 }
    for (let isMore = true; isMore; ) isMore = (await ledger.advance(deployment, id, allowance)).isMore
    const range = { before: '+inf', from: 0, limit: 1000 } as const
    const result = await claim('bad')
    if (result.status !== 'claimed') throw new Error(result.status)
    // Taking it made room on the queue, which is filled while the plan still runs.
    const before = (await ledger.unclaimed(deployment, id, 'assemble', range)).map((one) => one.remodel)
    const report = { plan: id, remodel: 'bad', fence: result.claim.fence, outcome: 'failed' as const }
    await ledger.complete(deployment, [{ ...report, code: 'job-failed', message: 'broke' }])
    const published = new Set<string>()
    const look = async () => {
      for (const one of await ledger.unclaimed(deployment, id, 'assemble', range)) published.add(one.remodel)
    }
    await look()
    for (let isMore = true; isMore; await look()) isMore = (await ledger.advance(deployment, id, allowance)).isMore
    expect([...published].filter((name) => !before.includes(name))).toEqual(['tidy'])
    const settled = Object.entries(await states()).filter(([, state]) => state === 'skipped')
    expect(settled).toHaveLength(200)
    await end('tidy')
    expect((await ledger.planRecord(deployment, id)).state).toBe('failed')
  })

  test('is ended by force in slices: the lock goes with the last of it', async () => {
    const { deployment, id, claim } = await opened(many(100).map((i) => remodel(`m${i}`)))
    const running = await claim('m0')
    const commands = redis as unknown as { ledger_cancel(...words: unknown[]): Promise<string> }
    const send = commands.ledger_cancel.bind(redis)
    const held: boolean[] = []
    commands.ledger_cancel = async (...words) => {
      const answer = await send(...words)
      held.push((await ledger.lock(deployment)) !== null)
      return answer
    }
    expect(await ledger.cancel(deployment, id, person('me'), true)).toBe('cancelled')
    commands.ledger_cancel = send
    expect(held.length).toBeGreaterThan(5)
    expect(held).toEqual([...many(held.length - 1).map(() => true), false])
    const fence = running.status === 'claimed' ? running.claim.fence : 0
    expect(await ledger.complete(deployment, [{ plan: id, remodel: 'm0', fence, outcome: 'done' }])).toEqual([
      { status: 'superseded' },
    ])
  })

  test('is taken up in slices where the worker that was carrying out all of it is gone', async () => {
    const { deployment, id, claim, count } = await opened(many(100).map((i) => remodel(`r${i}`)))
    await released(ledger, deployment, id)
    for (const i of many(100)) await claim(`r${i}`)
    expect(await count('running')).toBe(100)
    const fired: string[] = []
    for (let some = ['']; some.length > 0; fired.push(...some)) {
      some = await ledger.expire(deployment, id, 0, { gone: ['w'] })
      expect(some.length).toBeLessThanOrEqual(sizes.slice)
    }
    expect(new Set(fired).size).toBe(100)
    expect(fired).toHaveLength(100)
    expect(await count('released')).toBe(100)
  })

  test('announces no message above 64 KiB, whatever its remodels are called', async () => {
    const subscriber = connectRedis(settings(), 'service')
    const lengths: number[] = []
    subscriber.on('message', (_channel, text: string) => lengths.push(Buffer.byteLength(text)))
    await subscriber.subscribe(releasedChannel(settings()))
    const names = many(300).map((i) => `${i} ${'\u0001"é'.repeat(400)}`)
    const deployment = fresh()
    const plan = await usual.store(
      planOf(
        deployment,
        names.map((name) => remodel(name)),
      ),
      Date.now(),
    )
    await usual.open(deployment, plan.id, lock)
    const seen = new Set<string>()
    for (let isMore = true; isMore; ) {
      const step = await usual.advance(deployment, plan.id, { assemble: 1000 })
      for (const one of step.released) seen.add(one.remodel)
      isMore = step.isMore
    }
    await expect.poll(() => lengths.length).toBeGreaterThan(0)
    expect(Math.max(...lengths)).toBeLessThanOrEqual(65_536)
    expect(Math.max(...lengths)).toBeGreaterThan(10_000)
    expect((await released(usual, deployment, plan.id)).length).toBe(300)
    expect(seen.size).toBeGreaterThan(250)
    subscriber.disconnect()
  })
})

describe('one script', () => {
  test('runs some hundreds of commands, however many remodels are begun or end in the same moment', async () => {
    const deployment = fresh()
    const permits = many(100).map((i) => ({ name: `p${i}`, windows: ['all', `zone ${i % 5}`] }))
    const windows = ['all', ...many(5).map((i) => `zone ${i}`)].map((name) => ({ name, limit: 100 }))
    const drawn = planOf(
      deployment,
      many(400).map((i) => remodel(`r${i}`, [], { permit: `p${i % 100}` })),
      { windows, permits },
    )
    const { id } = await usual.store(drawn, Date.now())
    await usual.open(deployment, id, lock)
    for (let isMore = true; isMore; ) isMore = (await usual.advance(deployment, id)).isMore
    const recorder = new Recorder(usual, 'w')
    const jobs = many(64).map((i) => ({ plan: id, remodel: `r${i}`, job: `j${i}` }))

    const before = await commandsRun(other)
    const claims = await Promise.all(jobs.map((job) => recorder.claim(deployment, job)))
    const begun = await commandsRun(other)
    const ends = await Promise.all(
      claims.map((result, i) => {
        if (result.status !== 'claimed') throw new Error(`${jobs[i]!.remodel} is ${result.status}`)
        const { remodel, fence } = result.claim
        const report = { plan: id, remodel: remodel.id, fence, outcome: 'done' as const, durationMs: 1 }
        return recorder.complete(deployment, { ...report, job: jobs[i]!.job, take: 'assemble' })
      }),
    )
    const ended = await commandsRun(other)
    expect(ends.every(({ status, next }) => status === 'recorded' && next !== undefined)).toBe(true)
    expect((begun.inScripts - before.inScripts) / (begun.scripts - before.scripts)).toBeLessThan(600)
    expect((ended.inScripts - begun.inScripts) / (ended.scripts - begun.scripts)).toBeLessThan(600)
  })
})

describe('the scripts that end a plan', () => {
  test('run no more commands for what the ones before them left behind: windows of which no permit is waited for', async () => {
    const deployment = fresh()
    const names = many(12).map((i) => `w${i}`)
    const size = 4000
    const drawn = planOf(
      deployment,
      many(size).map((i) => remodel(`r${i}`, [], { permit: `p${i}` })),
      {
        windows: names.map((name) => ({ name, limit: size })),
        permits: many(size).map((i) => ({ name: `p${i}`, windows: names })),
      },
    )
    const { id } = await usual.store(drawn, Date.now())
    await usual.open(deployment, id, lock)
    for (let isMore = true; isMore; ) isMore = (await usual.advance(deployment, id)).isMore
    const commands = other as unknown as { ledger_cancel(...words: unknown[]): Promise<string> }
    const send = commands.ledger_cancel.bind(other)
    const runs: number[] = []
    commands.ledger_cancel = async (...words) => {
      const before = await commandsRun(other)
      const answer = await send(...words)
      runs.push((await commandsRun(other)).inScripts - before.inScripts)
      return answer
    }
    expect(await usual.cancel(deployment, id, person('me'), true)).toBe('cancelled')
    commands.ledger_cancel = send
    expect(runs.length).toBeGreaterThan(50)
    expect(Math.max(...runs)).toBeLessThan(2000)
  })
})

/**
 * How many scripts a Redis has run, and how many commands in them: what comes from outside of scripts is little here.
 */
async function commandsRun(redis: Redis): Promise<{ scripts: number; inScripts: number }> {
  const stats = [...(await redis.info('commandstats')).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]
  const count = (which: (name: string) => boolean) =>
    stats.reduce((sum, [, name, calls]) => sum + (which(name!) ? Number(calls) : 0), 0)
  const isScript = (name: string) => name === 'eval' || name === 'evalsha'
  return { scripts: count(isScript), inScripts: count((name) => !isScript(name)) }
}

describe('a free permit', () => {
  test('is given to the first in line that fits, however many that do not fit stand in front', async () => {
    const zone = (name: string, permits: number) =>
      many(permits).map((i) => ({ name: `${name}${i}`, windows: ['all', name] }))
    const permits = [...zone('A', 100), ...zone('B', 1), ...zone('C', 3)]
    const windows = [{ name: 'all', limit: 2 }, ...['A', 'B', 'C'].map((name) => ({ name, limit: 1 }))]
    const { deployment, id, end, states } = await opened(
      permits.map(({ name }) => remodel(name, [], { permit: name })),
      { windows, permits },
    )
    await released(ledger, deployment, id)
    const out = async () =>
      Object.entries(await states()).flatMap(([name, state]) => (state === 'released' ? name : []))
    expect(await out()).toEqual(['A0', 'B0'])
    await end('B0')
    await released(ledger, deployment, id)
    expect(await out()).toEqual(['A0', 'C0'])
    await end('A0')
    await released(ledger, deployment, id)
    expect(await out()).toEqual(['A1', 'C0'])
  })
})
