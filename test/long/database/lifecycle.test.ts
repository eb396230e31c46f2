import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../../shared/api/client.ts'
import { startServices, type TestStack } from '../../support/services.ts'
import { ownNet } from './net.ts'
import { actual, ask, askServer, connect, deploy, documentOf, expectWhole, remove } from './support.ts'
import { Writer } from './writer.ts'

let stack: TestStack
let client: Client
const net = await ownNet()

beforeAll(async () => {
  stack = await startServices({ planner: 1, assembler: 1 })
  client = stack.client()
})

afterAll(() => stack.stop())

const idsOn = async (hosts: string) => (await ask(net, hosts, 'SELECT id FROM item ORDER BY id')).map(([id]) => id)

/** One database through its life; each test goes on where the one before it ended. */
describe('a database of two nodes with two instances each', { timeout: 240_000 }, () => {
  const two = { net, nodes: { n1: 'ab', n2: 'cd' } }
  const three = {
    net,
    nodes: { n1: 'ab', n2: 'cd', n3: 'ef' },
    source: { n3: 'n1' },
    settings: { max_connections: 70, work_mem: '5MB' },
  }

  test('is made from nothing: replicas stream, and rows written on each node are on the other exactly once', async () => {
    await deploy(client, two)
    for (const [hosts, node] of [
      ['ab', 'n1'],
      ['cd', 'n2'],
    ] as const) {
      const writer = await connect(net, hosts)
      for (let i = 0; i < 20; i++) await writer.query('INSERT INTO item VALUES ($1, $2)', [`${node}-${i}`, node])
      await writer.end()
    }
    await expect.poll(() => idsOn('ab'), { timeout: 15_000 }).toHaveLength(40)
    await expect.poll(() => idsOn('cd'), { timeout: 15_000 }).toHaveLength(40)
    for (const hosts of ['ab', 'cd']) {
      expect(
        await ask(
          net,
          hosts,
          "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND usename = 'remodel_replication' AND application_name LIKE 'n_-_'",
        ),
      ).toEqual([['1']])
    }
    for (const replica of 'bd') {
      await expect
        .poll(() => askServer(net, replica, 'SELECT count(*), pg_is_in_recovery() FROM item'), { timeout: 10_000 })
        .toEqual([['40', true]])
    }
  })

  test('deployed again unchanged needs nothing', async () => {
    const { plan } = await client.plan({ manifest: { name: 'shop.yml', content: documentOf(two) } })
    expect(plan.remodels.map(({ id }) => id)).toEqual([])
  })

  test('a changed parameter rolls: node by node, replicas before their primary, and nothing written meanwhile is lost', async () => {
    const writers = [new Writer(net, 'n1', 'ab'), new Writer(net, 'n2', 'cd')]
    const plan = await deploy(client, { ...two, settings: { max_connections: 70, work_mem: '5MB' } })
    await Promise.all(writers.map((writer) => writer.stop()))
    console.log(
      'rolling change, longest gaps:',
      writers.map((writer) => writer.takeGap()),
    )
    for (const letter of 'abcd') {
      expect(
        await askServer(net, letter, "SELECT current_setting('max_connections'), current_setting('work_mem')"),
      ).toEqual([['70', '5MB']])
    }
    const order = (await client.events('shop', { plan }))
      .filter(({ type, remodel }) => type === 'remodel.done' && remodel?.startsWith('set-up-instance'))
      .map(({ remodel }) => remodel)
    expect(order).toEqual(['n1-b', 'n1-a', 'n2-d', 'n2-c'].map((id) => `set-up-instance instance/${id}`))
    await expectWhole(
      net,
      ['ab', 'cd'],
      writers.flatMap(({ acknowledged }) => acknowledged),
    )
  })

  test('a third node is filled from one of them while both are written to: no row lost, none twice', async () => {
    const writers = [new Writer(net, 'n1-x', 'ab'), new Writer(net, 'n2-x', 'cd')]
    await deploy(client, three)
    await Promise.all(writers.map((writer) => writer.stop()))
    console.log(
      'adding a node, longest gaps:',
      writers.map((writer) => writer.takeGap()),
    )
    const own = await connect(net, 'ef')
    await own.query("INSERT INTO entry VALUES ('n3-own', 'n3')")
    await own.end()
    await expectWhole(net, ['ab', 'cd', 'ef'], [...writers.flatMap(({ acknowledged }) => acknowledged), 'n3-own'])
    await expect
      .poll(() => askServer(net, 'f', 'SELECT count(*) FROM entry'), { timeout: 10_000 })
      .toEqual(await ask(net, 'ef', 'SELECT count(*) FROM entry'))
    expect((await client.plan({ manifest: { name: 'shop.yml', content: documentOf(three) } })).plan.remodels).toEqual(
      [],
    )
  })

  test('a node is removed: the others keep no slot, no subscription, no machine of it', async () => {
    await deploy(client, { ...three, nodes: { n1: 'ab', n3: 'ef' } })
    for (const hosts of ['ab', 'ef']) {
      expect(await ask(net, hosts, "SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE '%n2%'")).toEqual(
        [],
      )
      expect(await ask(net, hosts, "SELECT subname FROM pg_subscription WHERE subname LIKE '%n2%'")).toEqual([])
      expect(await ask(net, hosts, 'SELECT count(*) FROM pg_replication_origin')).toEqual([['1']])
    }
    expect((await actual(stack)).filter((id) => /-[cd](-data)?$/.test(id))).toEqual([])
    const writer = new Writer(net, 'n1-y', 'ab')
    await sleep(300)
    await writer.stop()
    await expectWhole(net, ['ab', 'ef'], writer.acknowledged)
  })

  test('is removed: nothing is left', async () => {
    await remove(client)
    expect(await actual(stack)).toEqual([])
    expect((await client.deployments()).map(({ name }) => name)).toEqual([])
  })
})
