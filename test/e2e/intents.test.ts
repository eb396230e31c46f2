import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'
import { deploySmall, planSmall, removeSmall, uploadSmall } from '../support/small.ts'

let stack: TestStack
let client: Client

beforeAll(async () => {
  stack = await startServices()
  client = stack.client()
  await uploadSmall(client)
})

afterAll(() => stack.stop())

async function carriedOut(deployment: string, action: string, ...parts: string[]): Promise<string[]> {
  const { plan } = await client.planAction(deployment, action, { parts })
  if (plan.remodels.length === 0) return []
  await client.apply(plan.id, {})
  expect(await settled(client, plan.id)).toBe('done')
  return plan.remodels.flatMap(({ id, queue }) => (queue === null ? [] : [id]))
}

const states = async (name: string) => (await client.instances(name)).map(({ state, intents }) => [state, ...intents])

const deviating = async (name: string) => (await client.verdict(name, 0)).deviations.map(({ material }) => material)

async function kill(deployment: string, instance: string): Promise<void> {
  const vm = (await client.instances(deployment)).find((one) => one.instance === instance)!.vm!
  const text = await readFile(join(stack.home, 'machines', 'vms', vm, 'pid'), 'utf8')
  process.kill(Number(text.split(' ')[0]), 'SIGKILL')
}

test('what is stopped stays so through a deploy, is well meanwhile, and is started with what has changed', async () => {
  const small = { name: 'stopped', net: 71, instances: 3 }
  // The order has an option that no action has.
  expect((await deploySmall(client, { ...small, recreate: true })).ended).toBe('done')
  expect(await carriedOut('stopped', 'stop', 'app/1')).toEqual(['stop-instance app/1', 'record-instance app/1'])
  const one = [['running'], ['stopped', 'stopped'], ['running']]
  expect(await states('stopped')).toEqual(one)
  expect(await deviating('stopped')).toEqual([])
  expect((await planSmall(client, small)).plan).toMatchObject({
    remodels: [],
    notes: expect.arrayContaining(['app/1 is stopped: it is left as it is']),
  })
  expect((await deploySmall(client, { ...small, greeting: 'later' })).ended).toBe('done')
  expect(await states('stopped')).toEqual(one)
  const { vm } = (await client.instances('stopped'))[1]!
  const connection = await stack.provider.connect(vm!, null)
  await connection.start()
  connection.close()
  const ran = 'instance/app/1 runs process app, and is stopped'
  const said = async () =>
    (await client.verdict('stopped', 0)).deviations.map(({ material, what }) => `${material} ${what}`)
  await expect.poll(said, { timeout: 20_000 }).toEqual([ran])
  expect(await carriedOut('stopped', 'stop', 'app/1')).toEqual(['stop-instance app/1', 'record-instance app/1'])
  expect(await said()).toEqual([])
  await carriedOut('stopped', 'start')
  expect(await states('stopped')).toEqual([['running'], ['running'], ['running']])
  const { stdout } = await client.exec('stopped', 'app/1', {
    argv: ['cat', '/var/vcap/jobs/app/config/greeting'],
  })
  expect(stdout).toMatch(/^later from app\/1/)
  expect((await planSmall(client, { ...small, greeting: 'later' })).plan.remodels).toEqual([])
  expect(await client.orders('stopped')).toHaveLength(2)
})

test('what is stopped or ignored is not mended while the rest is, and comes back when a person wants it', async () => {
  const small = { name: 'left', net: 72, instances: 3, recreate: true }
  expect((await deploySmall(client, small)).ended).toBe('done')
  await client.heal('left', { mode: 'apply', message: '' })
  await carriedOut('left', 'stop', 'app/1')
  await carriedOut('left', 'ignore', 'app/2')
  for (const instance of ['app/0', 'app/1', 'app/2']) await kill('left', instance)
  await expect
    .poll(async () => (await client.healing('left')).repairs.map(({ subjects }) => subjects), { timeout: 40_000 })
    .toEqual([['instance/app/0']])
  await expect.poll(async () => (await states('left'))[0], { timeout: 40_000 }).toEqual(['running'])
  // The planner looks every ten seconds.
  await sleep(12_000)
  expect(await states('left')).toEqual([['running'], ['missing', 'stopped'], ['missing', 'ignored']])
  await expect(client.planRemoval('left')).rejects.toMatchObject({ code: 'conflict', message: /app\/2 is ignored/ })
  await carriedOut('left', 'start', 'app/1')
  await carriedOut('left', 'unignore')
  await expect.poll(() => states('left'), { timeout: 60_000 }).toEqual([['running'], ['running'], ['running']])
  expect(await removeSmall(client, 'left')).toBe('done')
})

test('a restart and a recreate touch the instances that they are asked for, and no other', async () => {
  expect((await deploySmall(client, { name: 'again', net: 73, instances: 2 })).ended).toBe('done')
  const seen = async () => (await client.instances('again')).map(({ vm, processes }) => [vm, processes[0]?.uptimeMs])
  const [first, before] = (await seen()) as [string, number][]
  await carriedOut('again', 'restart', 'app/1')
  const [other, after] = (await seen()) as [string, number][]
  expect([other![0], after![0]]).toEqual([first![0], before![0]])
  expect(other![1]).toBeGreaterThan(first![1])
  expect(after![1]).toBeLessThan(other![1])
  await carriedOut('again', 'recreate', 'app')
  expect((await seen()).map(([vm]) => vm)).not.toEqual(expect.arrayContaining([first![0]]))
  await expect(client.planAction('again', 'restart', { parts: ['app'], switchOver: true })).rejects.toMatchObject({
    code: 'invalid-input',
  })
  await expect(client.planAction('again', 'stop', { parts: ['app/7'] })).rejects.toMatchObject({ code: 'not-found' })
})
