import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'
import { deploySmall, planSmall, uploadSmall } from '../support/small.ts'

let stack: TestStack
let client: Client

const generous = { timeout: 40_000, interval: 100 }
const small = { name: 'mended', net: 66, instances: 3, disk: 16 }

beforeAll(async () => {
  stack = await startServices()
  client = stack.client()
  await uploadSmall(client)
})

afterAll(() => stack.stop())

// What was mended in one test is left alone for a while in the next: each has a deployment of its own.
let number = 0
let deployment: string
beforeEach(async () => {
  deployment = `mended-${++number}`
  // The order has an option that no repair has.
  const { ended } = await deploySmall(client, { ...small, name: deployment, net: 66 + number, recreate: true })
  expect(ended).toBe('done')
}, 60_000)

const machineOf = async (instance: string) =>
  (await client.instances(deployment)).find((one) => one.instance === instance)!.vm!

async function signal(machine: string, name: NodeJS.Signals): Promise<void> {
  const text = await readFile(join(stack.home, 'machines', 'vms', machine, 'pid'), 'utf8')
  process.kill(Number(text.split(' ')[0]), name)
}

const repairs = async () => (await client.healing(deployment)).repairs
const deviating = async () => (await client.verdict(deployment, 0)).deviations.map(({ material }) => material)

test('a machine that was killed is made anew without a deploy, its disk is kept, and the order stays the same', async () => {
  await client.exec(deployment, 'app/1', { argv: ['sh', '-c', 'echo kept > /var/vcap/store/mark'] })
  await client.heal(deployment, { mode: 'apply', message: 'a test' })
  const before = await machineOf('app/1')
  await signal(before, 'SIGKILL')
  await expect.poll(async () => (await repairs()).length, generous).toBe(1)
  await expect.poll(deviating, generous).toEqual([])
  const [{ plan, subjects }] = (await repairs()) as [Awaited<ReturnType<typeof repairs>>[0]]
  expect(subjects).toEqual(['instance/app/1'])
  const { status, plan: drawn } = await client.planView(plan)
  expect(status).toMatchObject({ state: 'done', by: { kind: 'caretaker' } })
  expect(
    new Set(drawn.remodels.map(({ subject }) => subject).filter((one) => one?.startsWith('instance'))),
  ).not.toContain('instance app/0')
  expect(await machineOf('app/1')).not.toBe(before)
  const { stdout } = await client.exec(deployment, 'app/1', { argv: ['cat', '/var/vcap/store/mark'] })
  expect(stdout).toBe('kept\n')
  expect(await client.orders(deployment)).toHaveLength(1)
})

test('a machine that is frozen is made anew, and nothing of it goes on afterwards', async () => {
  await client.heal(deployment, { mode: 'apply', message: '' })
  const before = await machineOf('app/0')
  await signal(before, 'SIGSTOP')
  await expect
    .poll(async () => (await repairs()).map(({ subjects }) => subjects), generous)
    .toEqual([['instance/app/0']])
  await expect.poll(deviating, generous).toEqual([])
  expect((await stack.provider.listVms({ owner: `deployment/${deployment}` })).map(({ id }) => id)).not.toContain(
    before,
  )
  const { plan } = await planSmall(client, { ...small, name: deployment, net: 66 + number })
  expect(plan.remodels).toEqual([])
})

test('where a plan is only proposed, it is there for a person to apply, and nothing happens before', async () => {
  await client.heal(deployment, { mode: 'propose', message: '' })
  await signal(await machineOf('app/1'), 'SIGKILL')
  const why = async () => (await client.healing(deployment)).waits?.why
  await expect.poll(why, generous).toMatch(/^instance\/app\/1: its machine is gone: remodel apply p\w+ mends it$/)
  expect(await deviating()).toEqual(['instance/app/1'])
  const id = /apply (p\w+)/.exec((await why())!)![1]!
  expect((await client.apply(id, {})).id).toBe(id)
  await expect.poll(deviating, generous).toEqual([])
  expect(await repairs()).toEqual([])
  await expect.poll(why, { timeout: 20_000 }).toBeUndefined()
})

test('a machine that stops for a moment is left as it is', async () => {
  await client.heal(deployment, { mode: 'apply', message: '' })
  const before = await machineOf('app/2')
  for (let i = 0; i < 4; i++) {
    await signal(before, 'SIGSTOP')
    await sleep(700)
    await signal(before, 'SIGCONT')
    await sleep(500)
  }
  expect(await repairs()).toEqual([])
  expect(await machineOf('app/2')).toBe(before)
})

test('a silent machine is left alone while no assembler says so too, and a deployment whose deploy failed as well', async () => {
  await client.heal(deployment, { mode: 'apply', message: '' })
  const assembler = stack.services.find(({ name }) => name === 'assembler')!
  await assembler.kill('SIGKILL')
  const before = await machineOf('app/0')
  await signal(before, 'SIGSTOP')
  await sleep(23_000)
  expect(await repairs(), 'the planner has looked twice by itself').toEqual([])
  await signal(before, 'SIGCONT')
  stack.services.splice(stack.services.indexOf(assembler), 1)
  await stack.start('assembler')
  const failing = { ...small, name: deployment, net: 66 + number, greeting: 'other', fail: true, watch: '50-500' }
  expect((await deploySmall(client, failing)).ended).toBe('failed')
  await signal(await machineOf('app/2'), 'SIGKILL')
  const waits = async () => (await client.healing(deployment)).waits?.why
  await expect.poll(waits, generous).toContain('deploy again, or roll back')
  expect(await repairs()).toEqual([])
}, 90_000)

test('what is lost again at once waits; where a person says so, nothing is mended', async () => {
  await client.heal(deployment, { mode: 'apply', message: '' })
  await signal(await machineOf('app/0'), 'SIGKILL')
  await expect.poll(async () => (await repairs()).length, generous).toBe(1)
  await expect.poll(deviating, generous).toEqual([])
  await signal(await machineOf('app/0'), 'SIGKILL')
  const waits = async () => (await client.healing(deployment)).waits
  await expect.poll(waits, generous).toMatchObject({ why: expect.stringContaining('instance/app/0 was lost again') })
  expect(await repairs()).toHaveLength(1)
  await client.heal(deployment, { mode: 'off', message: 'left alone' })
  await signal(await machineOf('app/1'), 'SIGKILL')
  await sleep(12_000)
  expect(await repairs()).toHaveLength(1)
  expect((await deviating()).sort()).toEqual(['instance/app/0', 'instance/app/1'])
  expect(await client.healing(deployment)).toMatchObject({ mode: 'off', message: 'left alone' })
})

test('an action that was cancelled keeps no repair back, and is named in its plan', async () => {
  await client.heal(deployment, { mode: 'apply', message: '' })
  const { plan } = await client.planAction(deployment, 'restart', { maxInFlight: '1' })
  await client.apply(plan.id, {})
  await client.cancel(plan.id)
  expect(await settled(client, plan.id)).toBe('cancelled')
  expect((await client.planView(plan.id)).status.action).toBe('restart')
  await signal(await machineOf('app/2'), 'SIGKILL')
  await expect
    .poll(async () => (await repairs()).map(({ subjects }) => subjects), generous)
    .toEqual([['instance/app/2']])
  await expect.poll(async () => (await client.plans({ deployment, limit: 1 }))[0]?.state, generous).toBe('done')
  expect((await client.plans({ deployment, limit: 1 }))[0]?.action).toBeNull()
})

test('of a storm a part is mended, the rest waits with a sentence, and a person mends it all', async () => {
  const storm = { ...small, name: 'storm', net: 90, instances: 6, recreate: true }
  expect((await deploySmall(client, storm)).ended).toBe('done')
  await client.heal('storm', { mode: 'apply', message: '' })
  deployment = 'storm'
  const machines = (await client.instances('storm')).map(({ vm }) => vm!)
  await Promise.all(machines.map((machine) => signal(machine, 'SIGKILL')))
  const mended = async () => (await repairs()).flatMap(({ subjects }) => subjects)
  await expect.poll(async () => (await mended()).length, generous).toBeGreaterThan(0)
  const why = async () => (await client.healing('storm')).waits?.why
  await expect.poll(why, generous).toMatch(/of 6 instances were lost within ten minutes: 4 are mended in that time/)
  const states = async () => (await client.instances('storm')).filter(({ state }) => state === 'running').length
  await expect.poll(states, generous).toBe(4)
  await sleep(12_000)
  expect([await states(), (await mended()).length]).toEqual([4, 4])
  expect((await deploySmall(client, { ...storm, recreate: false })).ended).toBe('done')
  expect(await states()).toBe(6)
})
