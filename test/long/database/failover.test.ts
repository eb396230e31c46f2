import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../../shared/api/client.ts'
import { startServices, type TestStack } from '../../support/services.ts'
import { ownNet } from './net.ts'
import { actual, ask, askServer, deploy, documentOf, expectWhole, remove } from './support.ts'
import { Writer } from './writer.ts'

let stack: TestStack
let client: Client
const net = await ownNet()
const wish = { net, nodes: { n1: 'ab', n2: 'cd' } }

beforeAll(async () => {
  stack = await startServices({ planner: 1, assembler: 1 })
  client = stack.client()
  await deploy(client, wish)
}, 120_000)

afterAll(() => stack.stop())

const roles = async (letters: string) =>
  Promise.all([...letters].map(async (letter) => (await askServer(net, letter, 'SELECT pg_is_in_recovery()'))[0]![0]))

async function killMachine(letter: string): Promise<void> {
  const file = join(stack.home, 'machines', 'vms', `db-shop-${letter}`, 'pid')
  process.kill(Number((await readFile(file, 'utf8')).split(' ')[0]), 'SIGKILL')
}

describe('while both nodes are written to', { timeout: 180_000 }, () => {
  test('the document names another primary: it takes over, the old one follows, nothing is lost', async () => {
    const writers = [new Writer(net, 'n1-s', 'ab'), new Writer(net, 'n2-s', 'cd')]
    await sleep(500)
    await deploy(client, { ...wish, primary: { n1: 'b' } })
    await sleep(500)
    await Promise.all(writers.map((writer) => writer.stop()))
    console.log(
      'switchover, longest gaps:',
      writers.map((writer) => writer.takeGap()),
    )
    expect(await roles('ab')).toEqual([true, false])
    const acknowledged = writers.flatMap((writer) => writer.acknowledged)
    await expectWhole(net, ['ab', 'cd'], acknowledged)
    const again = await client.plan({
      manifest: { name: 'shop.yml', content: documentOf({ ...wish, primary: { n1: 'b' } }) },
    })
    expect(again.plan.remodels).toEqual([])
  })

  test("a primary's machine is killed: the next deploy promotes the replica and takes the old one in again", async () => {
    const writers = [new Writer(net, 'n1-f', 'ab'), new Writer(net, 'n2-f', 'cd')]
    await sleep(500)
    await killMachine('b')
    await sleep(300)
    const plan = await deploy(client, wish)
    await sleep(1000)
    await Promise.all(writers.map((writer) => writer.stop()))
    console.log(
      'failover, longest gaps:',
      writers.map((writer) => writer.takeGap()),
    )
    const done = (await client.events('shop', { plan })).filter(({ type }) => type === 'remodel.done')
    expect(done[0]?.remodel).toBe('fail-over node/n1')
    expect(await roles('ab')).toEqual([false, true])
    const acknowledged = writers.flatMap((writer) => writer.acknowledged)
    await expectWhole(net, ['ab', 'cd'], acknowledged)
    await expect
      .poll(() => askServer(net, 'b', 'SELECT count(*) FROM entry'), { timeout: 10_000 })
      .toEqual(await ask(net, 'ab', 'SELECT count(*) FROM entry'))
    expect((await client.plan({ manifest: { name: 'shop.yml', content: documentOf(wish) } })).plan.remodels).toEqual([])
  })

  test('a replica is killed: writes of the other node go on, and it comes back', async () => {
    const writers = [new Writer(net, 'n1-r', 'ab'), new Writer(net, 'n2-r', 'cd')]
    await sleep(300)
    await killMachine('d')
    await deploy(client, wish)
    await sleep(500)
    await Promise.all(writers.map((writer) => writer.stop()))
    console.log(
      'replica lost, longest gaps:',
      writers.map((writer) => writer.takeGap()),
    )
    expect(await roles('cd')).toEqual([false, true])
    await expectWhole(
      net,
      ['ab', 'cd'],
      writers.flatMap((writer) => writer.acknowledged),
    )
  })

  test('the host of a primary leaves the document: its replica takes over, then the host goes', async () => {
    const writers = [new Writer(net, 'n1-l', 'ab'), new Writer(net, 'n2-l', 'cd')]
    await sleep(300)
    await deploy(client, { ...wish, nodes: { n1: 'b', n2: 'cd' } })
    await sleep(500)
    await Promise.all(writers.map((writer) => writer.stop()))
    expect(await roles('b')).toEqual([false])
    expect((await actual(stack)).filter((id) => id.startsWith('db-shop-a'))).toEqual([])
    expect(await ask(net, 'b', "SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'physical'")).toEqual([])
    const acknowledged = writers.flatMap((writer) => writer.acknowledged)
    await expectWhole(net, ['b', 'cd'], acknowledged)
  })

  test('is removed: nothing is left', async () => {
    await remove(client)
    expect(await actual(stack)).toEqual([])
  })
})
