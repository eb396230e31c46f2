import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import { type ServiceName, settled, startServices, type TestStack } from '../support/services.ts'
import { effectsOf, planSmall, removeSmall, uploadSmall } from '../support/small.ts'

/** kill -9 in the middle of a deploy: after a restart it finishes, nothing is done twice, nothing leaks. */

let stack: TestStack
let client: Client
const options = { name: 'kill', net: 64, instances: 3, front: true }

beforeEach(async () => {
  stack = await startServices()
  client = stack.client()
  await uploadSmall(client)
})

afterEach(() => stack.stop())

async function begin(): Promise<string> {
  const { plan } = await planSmall(client, options)
  await client.apply(plan.id, {})
  return plan.id
}

/** Waits until the deploy has come as far as this. */
async function until(plan: string, event: { type: string; remodel: RegExp }): Promise<void> {
  await expect
    .poll(
      async () =>
        (await client.events('kill', { plan })).some(
          (one) => one.type === event.type && event.remodel.test(one.remodel ?? ''),
        ),
      {
        timeout: 20_000,
        interval: 10,
      },
    )
    .toBe(true)
}

async function expectWhole(plan: string): Promise<void> {
  expect(await settled(client, plan)).toBe('done')
  const instances = await client.instances('kill')
  expect(instances.map(({ instance, state }) => [instance, state])).toEqual([
    ['app/0', 'running'],
    ['app/1', 'running'],
    ['app/2', 'running'],
    ['front/0', 'running'],
  ])
  // Every remodel was recorded as done exactly once, and the history has no gap.
  const events = await client.events('kill')
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1))
  const done = events.filter(({ type }) => type === 'remodel.done').map(({ remodel }) => remodel)
  expect(new Set(done).size).toBe(done.length)
  // No machine or disk was made twice, and those that stand are those in use.
  const made = (await effectsOf(stack))
    .filter(({ what }) => what === 'create_vm' || what === 'create_disk')
    .map(({ what, id }) => `${what} ${id}`)
  expect(new Set(made).size).toBe(made.length)
  const actual = await stack.provider.listVms({ owner: 'deployment/kill' })
  expect(actual.map(({ id }) => id).sort()).toEqual(instances.map(({ vm }) => vm).sort())
  const owners = new Set(
    (await stack.provider.listVms())
      .map(({ ownership }) => ownership.owner)
      .filter((owner) => owner.startsWith('compiler/')),
  )
  const living = stack.services.filter(
    ({ name, process }) => name === 'compiler' && process.exitCode === null && process.signalCode === null,
  )
  await expect
    .poll(
      async () =>
        (await stack.provider.listVms()).filter(
          ({ ownership }) =>
            ownership.owner.startsWith('compiler/') &&
            !living.some(({ log }) => log.join().includes(ownership.owner.slice(9))),
        ).length,
      { timeout: 15_000 },
    )
    .toBe(0)
  expect(owners.size).toBeLessThanOrEqual(living.length + 1)
  expect(await removeSmall(client, 'kill')).toBe('done')
  expect(await stack.provider.listVms({ owner: 'deployment/kill' })).toEqual([])
  expect(await stack.provider.listDisks()).toEqual([])
}

const service = (name: ServiceName) => stack.services.find((one) => one.name === name)!

describe('a deploy goes on to its end', () => {
  test('after the planner was killed while packages compile', async () => {
    const plan = await begin()
    await until(plan, { type: 'remodel.started', remodel: /^compile-package/ })
    await service('planner').kill('SIGKILL')
    await stack.start('planner')
    client = stack.client()
    await expectWhole(plan)
  })

  test('after the compiler was killed in the middle of a package: another compiles it within seconds', async () => {
    const plan = await begin()
    await until(plan, { type: 'remodel.started', remodel: /^compile-package/ })
    await service('compiler').kill('SIGKILL')
    await stack.start('compiler')
    await expectWhole(plan)
  })

  test('after the assembler was killed while it made a machine', async () => {
    await service('assembler').kill('SIGTERM')
    await stack.start('assembler', { REMODEL_FAILPOINTS: 'create-vm.made=kill@2' })
    const plan = await begin()
    await expect.poll(() => stack.services.at(-1)!.process.signalCode, { timeout: 20_000 }).toBe('SIGKILL')
    await stack.start('assembler')
    await expectWhole(plan)
  })

  test('after the assembler was killed between doing a remodel and saying so', async () => {
    await service('assembler').kill('SIGTERM')
    await stack.start('assembler', { REMODEL_FAILPOINTS: 'start-instance.healthy=kill' })
    const plan = await begin()
    await expect.poll(() => stack.services.at(-1)!.process.signalCode, { timeout: 30_000 }).toBe('SIGKILL')
    await stack.start('assembler')
    await expectWhole(plan)
  })

  test('after Redis was killed and started again: services wait and come back', async () => {
    const plan = await begin()
    await until(plan, { type: 'remodel.done', remodel: /^create-vm/ })
    await stack.redis.restart()
    await expectWhole(plan)
  })
})

describe('three compilers and two assemblers', () => {
  test('share the work of one deploy', async () => {
    await Promise.all([stack.start('compiler'), stack.start('compiler'), stack.start('assembler')])
    const { plan } = await planSmall(client, { ...options, instances: 6, maxInFlight: 4, canaries: 0 })
    await client.apply(plan.id, {})
    expect(await settled(client, plan.id)).toBe('done')
    const workers = (await client.events('kill'))
      .filter(({ type }) => type === 'remodel.done')
      .map(({ worker }) => worker ?? '')
    const of = (name: string) => new Set(workers.filter((worker) => worker.startsWith(name)))
    expect(of('assembler').size).toBe(2)
    expect(of('compiler').size).toBeGreaterThanOrEqual(2)
    expect(await removeSmall(client, 'kill')).toBe('done')
  })
})
