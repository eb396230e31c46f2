import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Client } from '../../../shared/api/client.ts'
import { startServices, type TestStack } from '../../support/services.ts'
import { freeze, killMachine } from './freeze.ts'
import { giveBackNet, ownNet } from './net.ts'
import { askServer, deploy, expectWhole } from './support.ts'
import { Writer } from './writer.ts'

let net: number
let stack: TestStack
let client: Client
beforeAll(async () => {
  net = await ownNet()
  stack = await startServices({ planner: 1, assembler: 1 })
  client = stack.client()
  await deploy(client, { net, nodes: { n1: 'ab', n2: 'cd' } }, 120_000)
  await client.heal('shop', { mode: 'apply', message: 'a test' })
}, 180_000)
afterAll(async () => {
  await stack.stop()
  giveBackNet(net)
})

const machines = () => join(stack.home, 'machines')
const isReplica = async (letter: string) => (await askServer(net, letter, 'SELECT pg_is_in_recovery()'))[0]![0]
const repairs = async () => (await client.healing('shop')).repairs

/** Waits until the n-th repair is done, and nothing deviates; answers what was lost. */
async function mended(n: number): Promise<string[]> {
  const patience = { timeout: 120_000, interval: 200 }
  await expect.poll(async () => (await repairs()).length, patience).toBe(n)
  const { plan, subjects } = (await repairs())[0]!
  await expect.poll(async () => (await client.planView(plan)).status.state, patience).toBe('done')
  await expect.poll(async () => (await client.verdict('shop', 0)).deviations, patience).toEqual([])
  return subjects
}

test('a primary that is killed, one that is frozen, and a replica come back without a deploy, and no row is lost', {
  timeout: 600_000,
}, async () => {
  const writers = [new Writer(net, 'n1', 'ab'), new Writer(net, 'n2', 'cd')]
  await sleep(1000)
  const gaps = () => writers.map((writer) => writer.takeGap())
  gaps()

  killMachine(machines(), 'db-shop-a')
  expect(await mended(1)).toEqual(['host/a'])
  expect([await isReplica('a'), await isReplica('b')]).toEqual([true, false])
  console.log('primary killed, longest gaps in ms:', gaps())

  freeze(machines(), 'db-shop-c')
  expect(await mended(2)).toEqual(['host/c'])
  expect([await isReplica('c'), await isReplica('d')]).toEqual([true, false])
  console.log('primary frozen, longest gaps in ms:', gaps())

  // It was mended a moment ago: it waits for half a minute.
  killMachine(machines(), 'db-shop-a')
  expect(await mended(3)).toEqual(['host/a'])
  console.log('replica killed, longest gaps in ms:', gaps())

  await Promise.all(writers.map((writer) => writer.stop()))
  await expectWhole(
    net,
    ['ab', 'cd'],
    writers.flatMap(({ acknowledged }) => acknowledged),
  )
  expect((await client.orders('shop')).length).toBe(1)
})

test('where rows may be lost by it a person is asked first, and a refusal is the end of it', {
  timeout: 300_000,
}, async () => {
  await deploy(client, { net, nodes: { n1: 'ab', n2: 'cd' }, synchronous: false }, 120_000)
  const before = await repairs()
  const primary = (await isReplica('a')) ? 'b' : 'a'
  // With its disk the primary would come back as it was: both are gone before anything is mended.
  await client.heal('shop', { mode: 'off', message: '' })
  const { disks } = (await stack.provider.findVm(`db-shop-${primary}`))!
  await stack.provider.deleteVm(`db-shop-${primary}`, null)
  for (const disk of disks) await stack.provider.deleteDisk(disk, null)
  await client.heal('shop', { mode: 'apply', message: '' })
  const patience = { timeout: 90_000, interval: 200 }
  await expect.poll(async () => (await repairs()).length, patience).toBe(before.length + 1)
  const { plan } = (await repairs())[0]!
  const approval = 'approve fail-over node/n1'
  const states = async () => (await client.planView(plan)).remodels.map(({ id, state }) => `${id}: ${state}`)
  await expect.poll(states, patience).toContain(`${approval}: waiting`)
  expect((await client.planView(plan)).status.counts.done).toBe(0)
  await client.approve(plan, approval, false)
  const waits = async () => (await client.healing('shop')).waits?.why
  await expect.poll(waits, patience).toContain(`a person has refused plan ${plan}`)
})
