import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'
import { deploySmall, effectsOf, planSmall, removeSmall, type SmallOptions, uploadSmall } from '../support/small.ts'

let stack: TestStack
let client: Client

beforeAll(async () => {
  stack = await startServices()
  client = stack.client()
  await uploadSmall(client)
})

afterAll(() => stack.stop())

const steps = (view: { plan: { remodels: { step: string; queue: string | null }[] } }) =>
  view.plan.remodels.filter((remodel) => remodel.queue !== null).map((remodel) => remodel.step)

const read = async (name: string, instance: string, ...argv: string[]) =>
  (await client.exec(name, instance, { argv })).stdout
const linesOf = async (...at: Parameters<typeof read>) => (await read(...at)).trim().split('\n')

const states = async (name: string) => (await client.instances(name)).map(({ instance, state }) => [instance, state])

/** Ids of the remodels of a plan in the order in which they were done. */
const doneOf = async (name: string, plan: string) =>
  (await client.events(name, { plan })).flatMap(({ type, remodel }) => (type === 'remodel.done' ? [remodel!] : []))

/** All in one network: the ledger keeps their addresses apart. */
async function deployed(options: SmallOptions & { name: string }) {
  const first = { net: 61, ...options }
  expect((await deploySmall(client, first)).ended).toBe('done')
  return first
}

/** Each test makes the deployment that it is about. */
describe('a deployment', () => {
  test('is compiled, made and started from nothing, and its machines know each other by name', async () => {
    const { name } = await deployed({ name: 'made', front: true })
    expect(await states(name)).toEqual([
      ['app/0', 'running'],
      ['app/1', 'running'],
      ['front/0', 'running'],
    ])
    expect(await read(name, 'app/0', 'cat', '/var/vcap/jobs/app/config/greeting')).toMatch(
      /^hello from app\/0 at 127\.61\.1\.\d+/,
    )
    expect(await read(name, 'front/0', 'cat', '/var/vcap/jobs/front/config/peers')).toContain(
      'app/1 1.app.default.made.remodel',
    )
    const [first] = await client.instances(name)
    expect(await read(name, 'front/0', 'getent', 'hosts', '0.app.default.made.remodel')).toContain(first!.addresses[0])
  })

  test('deployed again unchanged needs no remodel', async () => {
    const same = await deployed({ name: 'same', front: true })
    expect((await planSmall(client, same)).plan.remodels).toEqual([])
  })

  test('changes a property in place: no machine is touched, the disk stays, the reason is shown', async () => {
    const first = await deployed({ name: 'changed' })
    const before = (await client.instances('changed')).map((instance) => instance.vm)
    const changed = await deploySmall(client, { ...first, greeting: 'good day' })
    expect(changed.ended).toBe('done')
    expect(new Set(steps(changed))).toEqual(new Set(['prepare-instance', 'stop-instance', 'start-instance']))
    expect(changed.plan.remodels.find((remodel) => remodel.step === 'start-instance')?.reasons).toContainEqual({
      ...{ code: 'content-changed', what: 'configuration', name: 'app' },
    })
    expect((await client.instances('changed')).map((instance) => instance.vm)).toEqual(before)
    expect(await read('changed', 'app/1', 'cat', '/var/vcap/jobs/app/config/greeting')).toContain('good day')
    expect(await linesOf('changed', 'app/1', 'cat', '/var/vcap/store/starts')).toHaveLength(2)
    expect(await read('changed', 'app/1', 'cat', '/var/vcap/store/drains')).toBe('drained\n')
  })

  test('swaps machines for a new stemcell: all replacements stand before the first old one is stopped, and the data moves along', async () => {
    const first = await deployed({ name: 'swapped' })
    const swapped = await deploySmall(client, { ...first, stemcell: '2', vmStrategy: 'create-swap-delete' })
    expect(swapped.ended).toBe('done')
    const order = await doneOf('swapped', swapped.plan.id)
    const lastCreated = order.findLastIndex((id) => id.startsWith('create-vm'))
    const firstStopped = order.findIndex((id) => id.startsWith('stop-instance'))
    expect(lastCreated).toBeGreaterThan(-1)
    expect(lastCreated).toBeLessThan(firstStopped)
    const instances = await client.instances('swapped')
    expect(instances.map(({ stemcell, state }) => [stemcell, state])).toEqual(Array(2).fill(['local/2', 'running']))
    expect(await linesOf('swapped', 'app/0', 'cat', '/var/vcap/store/starts')).toHaveLength(2)
    expect((await stack.provider.listVms({ owner: 'deployment/swapped' })).map((vm) => vm.id).sort()).toEqual(
      instances.map(({ vm }) => vm).sort(),
    )
  })

  test('is recreated in its place for another VM type where the strategy is delete-create', async () => {
    const first = await deployed({ name: 'recreated', instances: 1 })
    const recreated = await deploySmall(client, { ...first, vmType: 'large' })
    expect(recreated.ended).toBe('done')
    const order = await doneOf('recreated', recreated.plan.id)
    const [stop, remove, create] = ['stop-instance app/0', 'delete-vm', 'create-vm'].map((id) =>
      order.findIndex((one) => one.startsWith(id)),
    )
    expect(stop).toBeGreaterThan(-1)
    expect(stop).toBeLessThan(remove!)
    expect(remove).toBeLessThan(create!)
  })

  test('grows and shrinks, and what is no longer wanted goes away with its disk', async () => {
    const first = await deployed({ name: 'grown', instances: 1 })
    expect((await deploySmall(client, { ...first, instances: 3 })).ended).toBe('done')
    expect(await client.instances('grown')).toHaveLength(3)
    expect((await deploySmall(client, first)).ended).toBe('done')
    expect((await client.instances('grown')).map(({ instance }) => instance)).toEqual(['app/0'])
    expect(await stack.provider.listDisks({ owner: 'deployment/grown' })).toHaveLength(1)
  })

  test('whose canary will not run stops there: the others stay as they were, and the last log lines are shown', async () => {
    const first = await deployed({ name: 'canary', instances: 3 })
    const failed = await deploySmall(client, { ...first, fail: true })
    expect(failed.ended).toBe('failed')
    const { status } = await client.planView(failed.plan.id)
    expect(status.errors).toHaveLength(1)
    expect(status.errors[0]).toMatchObject({ code: 'job-failed', remodel: 'start-instance app/0' })
    expect(status.errors[0]?.log).toContain('app cannot start: its properties ask it to fail')
    expect(await states('canary')).toEqual([
      ['app/0', expect.stringMatching(/failing|stopped/)],
      ['app/1', 'running'],
      ['app/2', 'running'],
    ])
    expect((await deploySmall(client, first)).ended).toBe('done')
    expect((await client.instances('canary')).every(({ state }) => state === 'running')).toBe(true)
  })

  test('is refused a plan that was drawn before something changed', async () => {
    const first = await deployed({ name: 'stale', instances: 1 })
    const old = await planSmall(client, { ...first, greeting: 'one' })
    expect((await deploySmall(client, { ...first, greeting: 'two' })).ended).toBe('done')
    await expect(client.apply(old.plan.id, {})).rejects.toMatchObject({ code: 'floorplan-moved' })
  })

  test('can be cancelled: running work is stopped, and the next deploy finishes the job', async () => {
    const other = { ...(await deployed({ name: 'cancelled', instances: 3 })), stemcell: '2' }
    const { plan } = await planSmall(client, other)
    await client.apply(plan.id, {})
    await client.cancel(plan.id)
    expect(await settled(client, plan.id)).toBe('cancelled')
    expect((await deploySmall(client, other)).ended).toBe('done')
    expect((await client.instances('cancelled')).map(({ stemcell, state }) => [stemcell, state])).toEqual(
      Array(3).fill(['local/2', 'running']),
    )
  })

  test('whose machine vanished gets a new one on the next deploy, and keeps its disk; the others are left alone', async () => {
    const first = await deployed({ name: 'vanished' })
    const victim = (await client.instances('vanished')).find(({ instance }) => instance === 'app/1')!
    await stack.provider.deleteVm(victim.vm!, null)
    const repaired = await deploySmall(client, first)
    expect(repaired.ended).toBe('done')
    expect(repaired.plan.remodels.some(({ step }) => step === 'create-disk' || step === 'delete-disk')).toBe(false)
    expect(
      repaired.plan.remodels.filter(({ step }) => step === 'start-instance').map(({ material }) => material),
    ).toEqual(['instance/app/1'])
    expect(await linesOf('vanished', 'app/1', 'cat', '/var/vcap/store/starts')).toHaveLength(2)
    expect((await client.instances('vanished')).find(({ instance }) => instance === 'app/1')?.state).toBe('running')
  })

  test('is taken away whole: no machine, no disk, nothing recorded', async () => {
    await deployed({ name: 'removed', front: true })
    const owner = 'deployment/removed'
    const [vms, disks] = [await stack.provider.listVms({ owner }), await stack.provider.listDisks({ owner })]
    expect([vms.length, disks.length]).toEqual([3, 2])
    expect(await removeSmall(client, 'removed')).toBe('done')
    expect(await stack.provider.listVms({ owner })).toEqual([])
    expect(await stack.provider.listDisks({ owner })).toEqual([])
    expect((await client.deployments()).map(({ name }) => name)).not.toContain('removed')
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
