import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Client } from '../../../shared/api/client.ts'
import { startServices, type TestStack } from '../../support/services.ts'
import { ownNet } from './net.ts'
import { actual, ask, askServer, deploy, documentOf, expectWhole, remove, type Wish } from './support.ts'
import { Writer } from './writer.ts'

let stack: TestStack
let client: Client
const net = await ownNet()

beforeAll(async () => {
  stack = await startServices({ planner: 1, assembler: 1 })
  client = stack.client()
}, 120_000)

afterAll(() => stack.stop())

async function killMachine(letter: string): Promise<void> {
  const file = join(stack.home, 'machines', 'vms', `db-shop-${letter}`, 'pid')
  process.kill(Number((await readFile(file, 'utf8')).split(' ')[0]), 'SIGKILL')
}

describe('two nodes of two instances each, written to without a pause', { timeout: 300_000 }, () => {
  test('through a third node, a parameter, the loss of a primary and a switchover: every acknowledged row is on every node once', async () => {
    const two: Wish = { net, nodes: { n1: 'ab', n2: 'cd' } }
    const three: Wish = { net, nodes: { ...two.nodes, n3: 'ef' }, source: { n3: 'n1' } }
    const rolled: Wish = { ...three, settings: { max_connections: 70 } }
    const events: [string, () => Promise<unknown>][] = [
      ['a third node is added from n1', () => deploy(client, three)],
      ['a parameter is rolled', () => deploy(client, rolled)],
      [
        'the machine of the primary of n1 is killed, and deployed again',
        async () => {
          await killMachine('a')
          await deploy(client, rolled)
        },
      ],
      ['n2 is switched over', () => deploy(client, { ...rolled, primary: { n2: 'd' } })],
    ]
    await deploy(client, two)
    const writers = [new Writer(net, 'n1', 'ab'), new Writer(net, 'n2', 'cd')]
    /** Until each has one more row acknowledged: a gap is over, and counted, then only. */
    const goOn = async () => {
      const before = writers.map(({ acknowledged }) => acknowledged.length)
      await vi.waitFor(
        () => {
          for (const [at, { acknowledged }] of writers.entries())
            expect(acknowledged.length).toBeGreaterThan(before[at]!)
        },
        { timeout: 30_000 },
      )
    }
    try {
      await goOn()
      for (const [what, happen] of events) {
        for (const writer of writers) writer.takeGap()
        const from = performance.now()
        await happen()
        const ms = Math.round(performance.now() - from)
        await goOn()
        const [n1, n2] = writers.map((writer) => writer.takeGap())
        console.log(`${what}: ${ms} ms; longest write gap ${n1} ms on n1, ${n2} ms on n2`)
      }
    } finally {
      await Promise.all(writers.map((writer) => writer.stop()))
    }
    const acknowledged = writers.flatMap((writer) => writer.acknowledged)
    console.log(`${acknowledged.length} rows acknowledged`)
    await expectWhole(net, ['ab', 'cd', 'ef'], acknowledged)
    for (const [hosts, primary, replica] of ['ba', 'dc', 'ef'].map((all) => [all, all[0]!, all[1]!] as const)) {
      expect(await askServer(net, primary, 'SELECT pg_is_in_recovery()')).toEqual([[false]])
      const rows = await ask(net, hosts, 'SELECT count(*) FROM entry')
      await vi.waitFor(async () => expect(await askServer(net, replica, 'SELECT count(*) FROM entry')).toEqual(rows), {
        timeout: 20_000,
        interval: 200,
      })
    }
    const again = { ...rolled, primary: { n2: 'd' } }
    const { plan } = await client.plan({ manifest: { name: 'shop.yml', content: documentOf(again) } })
    expect(plan.remodels.map(({ id }) => id)).toEqual([])
    await remove(client)
    expect(await actual(stack)).toEqual([])
  })
})
