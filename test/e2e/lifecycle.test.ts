import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'
import { deploySmall, effectsOf, planSmall, removeSmall, supplySmall } from '../support/small.ts'

let stack: TestStack
let client: Client

beforeAll(async () => {
  stack = await startServices()
  client = stack.client()
  await supplySmall(client)
})

afterAll(() => stack.stop())

const steps = (view: { plan: { remodels: { step: string; queue: string | null }[] } }) =>
  view.plan.remodels.filter((remodel) => remodel.queue !== null).map((remodel) => remodel.step)

const read = async (instance: string, ...argv: string[]) => (await client.exec('life', instance, { argv })).stdout

/** One deployment through its life; each test goes on where the one before it ended. */
describe('a deployment', () => {
  const base = { name: 'life', net: 61, front: true }

  test('is compiled, made and started from nothing, and its machines know each other by name', async () => {
    const first = await deploySmall(client, base)
    expect(first.ended).toBe('done')
    const instances = await client.instances('life')
    expect(instances.map(({ instance, state }) => [instance, state])).toEqual([
      ['app/0', 'running'],
      ['app/1', 'running'],
      ['front/0', 'running'],
    ])
    expect(await read('app/0', 'cat', '/var/vcap/jobs/app/config/greeting')).toMatch(
      /^hello from app\/0 at 127\.61\.1\.\d+/,
    )
    expect(await read('front/0', 'cat', '/var/vcap/jobs/front/config/peers')).toContain(
      'app/1 1.app.default.life.remodel',
    )
    expect(await read('front/0', 'getent', 'hosts', '0.app.default.life.remodel')).toContain(instances[0]!.addresses[0])
  })

  test('deployed again unchanged needs no remodel', async () => {
    expect((await planSmall(client, base)).plan.remodels).toEqual([])
  })

  test('changes a property in place: no machine is touched, the disk stays, the reason is shown', async () => {
    const before = (await client.instances('life')).map((instance) => instance.vm)
    const changed = await deploySmall(client, { ...base, greeting: 'good day' })
    expect(changed.ended).toBe('done')
    expect(new Set(steps(changed))).toEqual(new Set(['prepare-instance', 'stop-instance', 'start-instance']))
    expect(changed.plan.remodels.find((remodel) => remodel.step === 'start-instance')?.reasons).toContainEqual({
      ...{ code: 'content-changed', what: 'configuration', name: 'app' },
    })
    expect((await client.instances('life')).map((instance) => instance.vm)).toEqual(before)
    expect(await read('app/1', 'cat', '/var/vcap/jobs/app/config/greeting')).toContain('good day')
    expect((await read('app/1', 'cat', '/var/vcap/store/starts')).trim().split('\n')).toHaveLength(2)
    expect(await read('app/1', 'cat', '/var/vcap/store/drains')).toBe('drained\n')
  })

  test('swaps machines for a new stemcell: all replacements stand before the first old one is stopped, and the data moves along', async () => {
    const greeting = 'good day'
    const swapped = await deploySmall(client, { ...base, greeting, stemcell: '2', vmStrategy: 'create-swap-delete' })
    expect(swapped.ended).toBe('done')
    const events = (await client.events('life', { plan: swapped.plan.id })).filter(
      (event) => event.type === 'remodel.done',
    )
    const order = events.map((event) => event.remodel!)
    const lastCreated = Math.max(...order.flatMap((id, i) => (id.startsWith('create-vm') ? [i] : [])))
    const firstStopped = order.findIndex((id) => id.startsWith('stop-instance'))
    expect(lastCreated).toBeLessThan(firstStopped)
    const instances = await client.instances('life')
    expect(instances.map(({ stemcell, state }) => [stemcell, state])).toEqual(Array(3).fill(['local/2', 'running']))
    expect((await read('app/0', 'cat', '/var/vcap/store/starts')).trim().split('\n')).toHaveLength(3)
    expect((await stack.provider.listVms({ owner: 'deployment/life' })).map((vm) => vm.id).sort()).toEqual(
      instances.map(({ vm }) => vm).sort(),
    )
  })

  test('is recreated in its place for another VM type where the strategy is delete-create', async () => {
    const recreated = await deploySmall(client, { ...base, greeting: 'good day', stemcell: '2', vmType: 'large' })
    expect(recreated.ended).toBe('done')
    const order = (await client.events('life', { plan: recreated.plan.id }))
      .filter((event) => event.type === 'remodel.done')
      .map((event) => event.remodel!)
    const [stop, remove, create] = ['stop-instance app/0', 'delete-vm', 'create-vm'].map((id) =>
      order.findIndex((one) => one.startsWith(id)),
    )
    expect(stop).toBeLessThan(remove!)
    expect(remove).toBeLessThan(create!)
  })

  test('grows and shrinks, and what is no longer wanted goes away with its disk', async () => {
    const now = { ...base, greeting: 'good day', stemcell: '2', vmType: 'large' }
    expect((await deploySmall(client, { ...now, instances: 4 })).ended).toBe('done')
    expect(await client.instances('life')).toHaveLength(5)
    expect((await deploySmall(client, { ...now, instances: 1 })).ended).toBe('done')
    expect((await client.instances('life')).map(({ instance }) => instance)).toEqual(['app/0', 'front/0'])
    expect(await stack.provider.listDisks({ owner: 'deployment/life' })).toHaveLength(1)
  })

  test('whose canary will not run stops there: the others stay as they were, and the last log lines are shown', async () => {
    const now = { ...base, greeting: 'good day', stemcell: '2', vmType: 'large' }
    expect((await deploySmall(client, { ...now, instances: 3 })).ended).toBe('done')
    const failed = await deploySmall(client, { ...now, instances: 3, fail: true })
    expect(failed.ended).toBe('failed')
    const { status } = await client.planView(failed.plan.id)
    expect(status.errors).toHaveLength(1)
    expect(status.errors[0]).toMatchObject({ code: 'job-failed', remodel: 'start-instance app/0' })
    expect(status.errors[0]?.log).toContain('app cannot start: its properties ask it to fail')
    expect((await client.instances('life')).map(({ instance, state }) => [instance, state])).toEqual([
      ['app/0', expect.stringMatching(/failing|stopped/)],
      ['app/1', 'running'],
      ['app/2', 'running'],
      ['front/0', 'running'],
    ])
    expect((await deploySmall(client, { ...now, instances: 3 })).ended).toBe('done')
    expect((await client.instances('life')).every(({ state }) => state === 'running')).toBe(true)
  })

  test('is refused a plan that was drawn before something changed', async () => {
    const now = { ...base, stemcell: '2', vmType: 'large', instances: 3 }
    const old = await planSmall(client, { ...now, greeting: 'one' })
    expect((await deploySmall(client, { ...now, greeting: 'two' })).ended).toBe('done')
    await expect(client.apply(old.plan.id, {})).rejects.toMatchObject({ code: 'floorplan-moved' })
  })

  test('can be cancelled: running work is stopped, and the next deploy finishes the job', async () => {
    const now = { ...base, stemcell: '1', vmType: 'large', instances: 3, greeting: 'two' }
    const { plan } = await planSmall(client, now)
    await client.apply(plan.id, {})
    await client.cancel(plan.id)
    await expect.poll(async () => (await client.planView(plan.id)).status.state, { timeout: 20_000 }).toBe('cancelled')
    expect((await deploySmall(client, now)).ended).toBe('done')
    expect((await client.instances('life')).map(({ stemcell, state }) => [stemcell, state])).toEqual(
      Array(4).fill(['local/1', 'running']),
    )
  })

  test('whose machine vanished gets a new one on the next deploy, and keeps its disk; the others are left alone', async () => {
    const now = { ...base, stemcell: '1', vmType: 'large', instances: 3, greeting: 'two' }
    const victim = (await client.instances('life')).find(({ instance }) => instance === 'app/1')!
    await stack.provider.deleteVm(victim.vm!, null)
    const repaired = await deploySmall(client, now)
    expect(repaired.ended).toBe('done')
    expect(repaired.plan.remodels.some(({ step }) => step === 'create-disk' || step === 'delete-disk')).toBe(false)
    expect(
      repaired.plan.remodels.filter(({ step }) => step === 'start-instance').map(({ material }) => material),
    ).toEqual(['instance/app/1'])
    expect((await client.instances('life')).find(({ instance }) => instance === 'app/1')?.state).toBe('running')
  })

  test('is taken away whole: no machine, no disk, nothing recorded', async () => {
    expect(await removeSmall(client, 'life')).toBe('done')
    expect(await stack.provider.listVms({ owner: 'deployment/life' })).toEqual([])
    expect(await stack.provider.listDisks({ owner: 'deployment/life' })).toEqual([])
    expect((await client.deployments()).map(({ name }) => name)).toEqual([])
    const effects = await effectsOf(stack)
    const made = effects.filter(({ what }) => what === 'create_vm').map(({ id }) => id)
    expect(new Set(made).size).toBe(made.length)
  })
})

describe('two deployments', () => {
  test('of the same release compile nothing twice, and stand side by side', async () => {
    const one = await deploySmall(client, { name: 'one', net: 62 })
    const two = await deploySmall(client, { name: 'two', net: 62 })
    expect([one.ended, two.ended]).toEqual(['done', 'done'])
    expect(steps(two)).not.toContain('compile-package')
    const addresses = [...(await client.instances('one')), ...(await client.instances('two'))].flatMap(
      (instance) => instance.addresses,
    )
    expect(new Set(addresses).size).toBe(4)
    expect(await removeSmall(client, 'one')).toBe('done')
    expect(await removeSmall(client, 'two')).toBe('done')
  })

  test('that need the same package at the same time share one compile', async () => {
    const options = { stemcell: '3', instances: 1 }
    // Plans that are drawn at once choose the same addresses where they may: each has a network of its own.
    const nets = Object.entries({ three: 63, four: 65 })
    const plans = await Promise.all(nets.map(([name, net]) => planSmall(client, { ...options, net, name })))
    for (const { plan } of plans) expect(plan.remodels.filter(({ step }) => step === 'compile-package')).toHaveLength(5)
    await Promise.all(plans.map(({ plan }) => client.apply(plan.id, {})))
    for (const { plan } of plans) expect(await settled(client, plan.id)).toBe('done')
    const compiled = (await Promise.all(['three', 'four'].map((name) => client.events(name))))
      .flat()
      .filter(({ type, facts }) => type === 'remodel.done' && facts?.key)
    expect(compiled).toHaveLength(10)
    const bytes = new Map(compiled.map(({ facts }) => [facts!.key, facts!.vm ?? null]))
    expect(bytes.size).toBe(5)
    for (const name of ['three', 'four']) expect(await removeSmall(client, name)).toBe('done')
  })
})
