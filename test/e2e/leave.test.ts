import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import { type ServiceName, settled, startServices, type TestStack } from '../support/services.ts'
import { planSmall, removeSmall, uploadSmall } from '../support/small.ts'

let stack: TestStack
let client: Client

beforeEach(async () => {
  stack = await startServices()
  client = stack.client()
  await uploadSmall(client)
})

afterEach(() => stack.stop())

const process = (name: ServiceName) => stack.services.find((service) => service.name === name)!.process

/** A plan that is carried out, once a package of it is being compiled. */
async function compiling(): Promise<string> {
  const { plan } = await planSmall(client, { name: 'leave', net: 69 })
  await client.apply(plan.id, {})
  const started = async () =>
    (await client.events('leave', { plan: plan.id })).some(
      ({ type, remodel }) => type === 'remodel.started' && remodel?.startsWith('compile-package'),
    )
  await expect.poll(started, { timeout: 20_000, interval: 10 }).toBe(true)
  return plan.id
}

describe('a service that is asked to leave', () => {
  test('finishes its jobs, leaves with 0, and loses no attempt', async () => {
    const plan = await compiling()
    const compiler = process('compiler')
    const gone = once(compiler, 'exit')
    compiler.kill('SIGTERM')
    expect(await gone).toEqual([0, null])
    expect((await stack.provider.listVms()).filter(({ ownership }) => ownership.owner.startsWith('compiler/'))).toEqual(
      [],
    )
    await stack.start('compiler')
    expect(await settled(client, plan)).toBe('done')
    expect((await client.events('leave')).filter(({ attempt }) => (attempt ?? 1) > 1)).toEqual([])
    expect(await removeSmall(client, 'leave')).toBe('done')
  })

  test('leaves at once when it is asked a second time, and another takes over', async () => {
    const plan = await compiling()
    const compiler = process('compiler')
    const gone = once(compiler, 'exit')
    compiler.kill('SIGTERM')
    compiler.kill('SIGINT')
    expect(await gone).toEqual([1, null])
    await stack.start('compiler')
    expect(await settled(client, plan)).toBe('done')
    expect(await removeSmall(client, 'leave')).toBe('done')
  })

  test('leaves without Redis where Redis does not come back, instead of waiting for ever', async () => {
    const exits = stack.services.map((service) => once(service.process, 'exit'))
    await stack.redis.kill('SIGKILL')
    for (const service of stack.services) service.process.kill('SIGTERM')
    for (const exit of exits) expect((await exit)[1]).toBeNull()
    await stack.redis.restart()
  })

  test('leaves in order from the planner, whose place the next one takes while a plan runs', async () => {
    const plan = await compiling()
    const planner = process('planner')
    const gone = once(planner, 'exit')
    planner.kill('SIGTERM')
    expect(await gone).toEqual([0, null])
    await stack.start('planner')
    client = stack.client()
    expect(await settled(client, plan)).toBe('done')
    expect(await removeSmall(client, 'leave')).toBe('done')
  })
})
