import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startServices } from '../../support/services.ts'
import { killMachine } from './freeze.ts'
import { ownNet } from './net.ts'
import { deploy, documentOf, expectWhole } from './support.ts'
import { Writer } from './writer.ts'

test('a node that has lost its primary goes without loss: its replica takes over, is drained, and then goes', async () => {
  const net = await ownNet()
  const stack = await startServices({ planner: 1, assembler: 1 })
  const writer = new Writer(net, 'w', 'bc')
  try {
    const client = stack.client()
    await deploy(client, { net, nodes: { n1: 'a', n2: 'bc' } }, 200_000)
    await expect.poll(() => writer.acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(100)
    killMachine(join(stack.home, 'machines'), 'db-shop-b')
    await expect
      .poll(async () => (await stack.provider.findVm('db-shop-b'))?.state, { timeout: 60_000 })
      .not.toBe('running')
    const less = { net, nodes: { n1: 'a' } }
    const { plan } = await client.plan({ manifest: { name: 'shop.yml', content: documentOf(less) } })
    expect((plan.consequences ?? []).join('\n')).toMatch(
      /node n2 goes without its primary n2-b: n2-c has all that it acknowledged/,
    )
    await deploy(client, less, 200_000)
    await writer.stop()
    await expectWhole(net, ['a'], writer.acknowledged)
  } finally {
    await writer.stop()
    await stack.stop()
  }
}, 600_000)
