import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import type { Event } from '../../shared/api/schemas/event.ts'
import { RedisDurations } from '../../shared/compilation/durations.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { remodel, temporaryFolder } from '../cli/remodel.ts'
import { fresh } from '../support/fresh.ts'
import {
  compileVms,
  filesOf,
  letGo,
  letGoUntil,
  type Packages,
  type PackagesOptions,
  packageOf,
  planPackages,
  scriptsOf,
  uploadPackages,
  usedAttempts,
  waits,
} from '../support/packages.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'
import { removeSmall } from '../support/small.ts'

const generous = { timeout: 30_000 }

/** Of packages only. */
const ofPackages = (events: readonly Event[]) => events.filter(({ remodel }) => packageOf(remodel) !== '')
const only = (events: readonly Event[], type: string) => ofPackages(events).filter((event) => event.type === type)

const phrases = async (client: Client, deployment: string) =>
  only(await client.events(deployment), 'remodel.progress').map(({ message }) => message ?? '')

/** Each of `count` packages has one result, was compiled at most once, and no attempt was used up. */
function expectOnceEach(events: readonly Event[], count: number): void {
  const done = only(events, 'remodel.done')
  expect(new Set(done.map(({ facts }) => facts?.key)).size).toBe(count)
  const compiled = scriptsOf(events).map((script) => script.split(' ')[0])
  expect(new Set(compiled).size).toBe(compiled.length)
  expect(usedAttempts(ofPackages(events))).toEqual([])
  // Where no compiler stalled, each end is the one of its own script.
  if (only(events, 'remodel.retried').length === 0) expect(compiled).toHaveLength(count)
}

/** One that is compiled from all the others, which need nothing. */
const packages = (count: number, script: string): Packages => {
  const names = Array.from({ length: count - 1 }, (_, n) => `p${n}`)
  const leaves = names.map((name) => [name, { script }] as const)
  return { ...Object.fromEntries(leaves), top: { needs: names } }
}

describe('a package that two deployments need', { timeout: 120_000 }, () => {
  let stack: TestStack
  let client: Client
  const waiting: string[] = []
  const started = (deployment: string) =>
    expect
      .poll(async () => only(await client.events(deployment), 'remodel.started').length, generous)
      .toBeGreaterThan(0)

  /** The command says the same as the API, to people and to machines. */
  const expectSaid = async (options: PackagesOptions, name: string, first: string) => {
    await using folder = await temporaryFolder()
    const { manifest, cloud } = filesOf(options)
    await writeFile(folder.in('d.yml'), manifest)
    await writeFile(folder.in('cloud.yml'), cloud)
    const env = { REMODEL_PLANNER: client.address.url }
    const run = (...more: string[]) => remodel(['plan', 'd.yml', 'cloud.yml', ...more], { cwd: folder.path, env })
    const [people, machines] = [await run(), await run('--json')]
    expect([people.code, machines.code]).toEqual([3, 3])
    expect(people.stdout).toContain(`Packages: 1 being compiled for ${first}; how long that takes is not known yet.\n`)
    expect(people.stdout).toMatch(
      new RegExp(`${name}.*not compiled yet .*; being compiled for deployment ${first} since \\d+ s$`, 'm'),
    )
    const { compiling, ...drawn } = JSON.parse(machines.stdout)
    expect(compiling.packages).toMatchObject([{ how: 'join', for: first }])
    expect((await client.planView(drawn.id)).plan).toEqual(drawn)
  }

  beforeAll(async () => {
    stack = await startServices({ planner: 1, compiler: 2, assembler: 1 })
    client = stack.client()
    await client.addStemcell({ name: 'local', os: 'local', version: '1' })
    await client.addStemcell({ name: 'local', os: 'local', version: '2' })
  })
  afterAll(async () => {
    // What a failed test left waiting would keep its compiler from ending.
    for (const what of waiting) await letGo(stack, what).catch(() => {})
    await stack.stop()
  })

  test('is joined: the second plan, its progress and `why` say for whom it is being compiled', async () => {
    const [release, a, b, go] = [fresh('joined'), fresh('a'), fresh('b'), fresh('slow')]
    waiting.push(go)
    // A package of this name was never compiled, so nothing is known of how long it takes.
    await uploadPackages(client, release, go, { [go]: { script: waits(go) } })
    const first = await planPackages(client, { name: a, release, net: 110 })
    expect(first.compiling).toMatchObject({ hits: 0, packages: [{ how: 'compile', for: null, measured: false }] })
    await client.apply(first.plan.id, {})
    await started(a)
    const second = await planPackages(client, { name: b, release, net: 111 })
    expect(second.compiling?.packages).toMatchObject([{ name: go, how: 'join', for: a }])
    expect(second.compiling?.packages[0]?.since).toBeGreaterThan(0)
    const remodel = second.compiling!.packages[0]!.remodel
    await client.apply(second.plan.id, {})
    const said = new RegExp(`^being compiled for deployment ${a} since \\d+ s$`)
    await expect.poll(async () => (await phrases(client, b)).at(-1), generous).toMatch(said)
    expect((await client.why(second.plan.id, remodel)).waitsFor).toEqual([
      expect.stringMatching(new RegExp(`^${go}: being compiled for deployment ${a} since \\d+ s$`)),
    ])
    expect((await client.planView(second.plan.id)).compiling?.packages).toMatchObject([{ how: 'join', for: a }])
    expect((await client.planView(first.plan.id)).compiling?.packages).toMatchObject([{ how: 'compile', for: a }])
    await expectSaid({ name: fresh('d'), release, net: 112 }, go, a)
    const ends = Promise.all([first, second].map((view) => settled(client, view.plan.id)))
    expect(await letGoUntil(stack, go, ends)).toEqual(['done', 'done'])
    const all = [...(await client.events(a)), ...(await client.events(b))]
    expect(scriptsOf(all)).toHaveLength(1)
    const third = await planPackages(client, { name: fresh('c'), release, net: 112 })
    expect(third.compiling).toMatchObject({ hits: 1, packages: [], estimateMs: 0 })
    for (const name of [a, b]) expect(await removeSmall(client, name)).toBe('done')
  })

  test('goes on being compiled, once, when the first who asked is cancelled, who is let go at once', async () => {
    const [release, a, b, go] = [fresh('kept'), fresh('a'), fresh('b'), fresh('kept')]
    waiting.push(go)
    await uploadPackages(client, release, 'kept', { kept: { script: waits(go) } })
    const first = await planPackages(client, { name: a, release, net: 113 })
    const second = await planPackages(client, { name: b, release, net: 114 })
    await client.apply(first.plan.id, {})
    await started(a)
    const vms = await compileVms(stack)
    await client.apply(second.plan.id, {})
    // At once: the compiler may not have seen the second one yet.
    await expect
      .poll(async () => (await client.why(second.plan.id, second.compiling!.packages[0]!.remodel)).waitsFor)
      .toEqual([expect.stringContaining(`for deployment ${a}`)])
    await client.cancel(first.plan.id)
    expect(await settled(client, first.plan.id)).toBe('cancelled')
    await expect.poll(() => phrases(client, b), generous).toContain(`goes on for ${b}: deployment ${a} was cancelled`)
    expect(await letGoUntil(stack, go, settled(client, second.plan.id))).toBe('done')
    const events = ofPackages(await client.events(b))
    const [done] = only(events, 'remodel.done')
    expect(done).toMatchObject({ attempt: 1, facts: { cached: false } })
    expect(usedAttempts(events)).toEqual([])
    // A compiler that stalled has lost its machine.
    if (only(events, 'remodel.retried').length === 0) expect(vms).toContain(done?.facts?.vm)
    expect(await removeSmall(client, b)).toBe('done')
  })

  test('is stopped when both are cancelled, and compiled anew for the next', async () => {
    const [release, a, b, c, go] = [fresh('stopped'), fresh('a'), fresh('b'), fresh('c'), fresh('stopped')]
    waiting.push(go)
    await uploadPackages(client, release, 'stopped', { stopped: { script: waits(go) } })
    const views = [
      await planPackages(client, { name: a, release, net: 115 }),
      await planPackages(client, { name: b, release, net: 116 }),
    ]
    for (const { plan } of views) await client.apply(plan.id, {})
    await started(a)
    await started(b)
    for (const { plan } of views) await client.cancel(plan.id)
    for (const { plan } of views) expect(await settled(client, plan.id)).toBe('cancelled')
    const third = await planPackages(client, { name: c, release, net: 117 })
    expect(third.compiling?.packages).toMatchObject([{ how: 'compile', for: null }])
    await client.apply(third.plan.id, {})
    expect(await letGoUntil(stack, go, settled(client, third.plan.id))).toBe('done')
    for (const name of [a, b, c]) expect(await removeSmall(client, name)).toBe('done')
  })

  test('takes the first place in the next plan where it took long before: recorded durations decide the order', async () => {
    // Durations are remembered by the names of packages.
    const [release, slow, last] = [fresh('long'), fresh('z'), fresh('top')]
    const needs = [fresh('a'), fresh('b'), fresh('c'), slow]
    const scripts = Object.fromEntries(needs.map((name) => [name, name === slow ? { script: 'sleep 1.5' } : {}]))
    await uploadPackages(client, release, last, { ...scripts, [last]: { needs } })
    const order = async (deployment: string, stemcell: string, net: number) => {
      const options = { name: deployment, release, net, workers: 1, stemcell }
      const view = await planPackages(client, options)
      await client.apply(view.plan.id, {})
      expect(await settled(client, view.plan.id)).toBe('done')
      const begun = only(await client.events(deployment), 'remodel.started').map(({ remodel }) => packageOf(remodel))
      expect(await removeSmall(client, deployment)).toBe('done')
      // What a stalled compiler gave back was begun twice.
      return { begun: [...new Set(begun)], compiling: view.compiling! }
    }
    const first = await order(fresh('a'), '1', 118)
    expect(first.begun).toEqual([...needs, last])
    expect(first.compiling.packages.every(({ measured }) => !measured)).toBe(true)
    const second = await order(fresh('b'), '2', 119)
    expect(second.begun[0]).toBe(slow)
    expect(second.compiling.packages.every(({ measured, how }) => measured && how === 'compile')).toBe(true)
    const took = second.compiling.packages.map(({ estimateMs }) => estimateMs)
    expect(took.reduce((sum, ms) => sum + ms, 0)).toBe(second.compiling.estimateMs)
    expect(second.compiling.longestMs).toBeGreaterThanOrEqual(1500)
    expect(second.compiling.longestMs).toBeLessThan(second.compiling.estimateMs)
  })

  test('K1: fifty of them are compiled once each, the second shows the wait, and takes over where the first is cancelled', async () => {
    const redis = connectRedis({ url: stack.redis.url, prefix: 'remodel' }, 'service')
    try {
      for (const cancelled of [false, true]) {
        const [release, a, b] = [fresh('k1'), fresh('a'), fresh('b')]
        await uploadPackages(client, release, 'top', packages(50, 'sleep 0.1'))
        const net = cancelled ? 122 : 120
        const first = await planPackages(client, { name: a, release, net })
        const second = await planPackages(client, { name: b, release, net: net + 1 })
        await client.apply(first.plan.id, {})
        await client.apply(second.plan.id, {})
        const said = new RegExp(`^being compiled for deployment ${a} since \\d+ s$`)
        const waited = async () => (await phrases(client, b)).filter((phrase) => said.test(phrase)).length
        await expect.poll(waited, generous).toBeGreaterThan(0)
        if (cancelled) await client.cancel(first.plan.id)
        expect(await settled(client, first.plan.id, 90_000)).toBe(cancelled ? 'cancelled' : 'done')
        expect(await settled(client, second.plan.id, 90_000)).toBe('done')
        const all = [...(await client.events(a)), ...(await client.events(b))]
        expectOnceEach(all, 50)
        expect(only(all, 'remodel.done').filter(({ plan }) => plan === second.plan.id)).toHaveLength(50)
        for (const name of [a, b]) expect(await removeSmall(client, name)).toBe('done')
      }
      const durations = new RedisDurations(redis, { url: stack.redis.url, prefix: 'remodel' })
      const [known] = await durations.find([{ name: 'p7', fingerprint: 'another', os: 'local' }])
      expect(known).toMatchObject({ sameSource: false })
      expect(known?.ms).toBeGreaterThanOrEqual(100)
    } finally {
      redis.disconnect()
    }
  })
})

describe('a thousand remodels of twenty deployments that need fifty packages', { timeout: 180_000 }, () => {
  test('are all done, each package is compiled once, and none of them waits for ever', async () => {
    const stack = await startServices({ planner: 1, compiler: 2, assembler: 1 })
    try {
      const client = stack.client()
      await client.addStemcell({ name: 'local', os: 'local', version: '1' })
      await uploadPackages(client, 'many', 'top', packages(50, ''))
      const names = Array.from({ length: 20 }, (_, n) => `many${n}`)
      const plans: string[] = []
      for (const [n, name] of names.entries()) {
        plans.push((await planPackages(client, { name, release: 'many', net: 130 + n, workers: 50 })).plan.id)
      }
      await Promise.all(plans.map((plan) => client.apply(plan, {})))
      const ends = await Promise.all(plans.map((plan) => settled(client, plan, 150_000)))
      expect(ends).toEqual(names.map(() => 'done'))
      const events = (await Promise.all(names.map((name) => client.events(name)))).flat()
      expect(only(events, 'remodel.done')).toHaveLength(1000)
      expectOnceEach(events, 50)
      await Promise.all(names.map((name) => removeSmall(client, name)))
    } finally {
      await stack.stop()
    }
  })
})

describe('a small deployment beside a large one', { timeout: 120_000 }, () => {
  test('has its package compiled after a few of the large one, though those have longer paths', async () => {
    const stack = await startServices({ planner: 1, compiler: 1, assembler: 1 }, { REMODEL_CONCURRENCY: '1' })
    try {
      const client = stack.client()
      await client.addStemcell({ name: 'local', os: 'local', version: '1' })
      await uploadPackages(client, 'large', 'top', packages(24, 'sleep 0.2'))
      await uploadPackages(client, 'small', 'tiny', { tiny: {} })
      const large = await planPackages(client, { name: 'large', release: 'large', net: 160, workers: 8 })
      const small = await planPackages(client, { name: 'small', release: 'small', net: 161, workers: 8 })
      await client.apply(large.plan.id, {})
      const done = async () => only(await client.events('large'), 'remodel.done').length
      await expect.poll(done, generous).toBeGreaterThanOrEqual(3)
      await client.apply(small.plan.id, {})
      expect(await settled(client, small.plan.id)).toBe('done')
      const events = await client.events('small')
      const [from, to] = [events.find(({ type }) => type === 'plan.started'), only(events, 'remodel.done')[0]]
      const between = only(await client.events('large'), 'remodel.done').filter(
        ({ at }) => at > from!.at && at < to!.at,
      )
      // What was being compiled, and at most one that stood in front.
      expect(between.length).toBeLessThanOrEqual(3)
      expect(await done()).toBeLessThan(20)
      expect(await settled(client, large.plan.id)).toBe('done')
      for (const name of ['large', 'small']) expect(await removeSmall(client, name)).toBe('done')
    } finally {
      await stack.stop()
    }
  })
})
