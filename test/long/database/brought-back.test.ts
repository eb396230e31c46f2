import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bringBack } from '../../../cli/bring-back.ts'
import { startServices, type TestStack } from '../../support/services.ts'
import { killMachine } from './freeze.ts'
import { giveBackNet, ownNet } from './net.ts'
import { ask, deploy } from './support.ts'

let net: number
let stack: TestStack
beforeAll(async () => {
  net = await ownNet()
  stack = await startServices({ planner: 1, assembler: 1 })
})
afterAll(async () => {
  await stack.stop()
  giveBackNet(net)
})

test('a database whose machines all ended takes writes again on every node, with its rows', {
  timeout: 300_000,
}, async () => {
  const client = stack.client()
  await deploy(client, { net, nodes: { n1: 'ab', n2: 'c' } }, 120_000)
  await ask(net, 'ab', `INSERT INTO item (id, node) SELECT g, 'before' FROM generate_series(1, 1000) g`)
  for (const { id } of await stack.provider.listVms()) killMachine(join(stack.home, 'machines'), id)
  await expect(ask(net, 'abc', 'SELECT 1')).rejects.toThrow('takes writes')

  const said: string[] = []
  const tell = (name: string, sentence: string) => void said.push(`${name} ${sentence}`)
  const left = await bringBack({ client, tell, message: 'test', signal: AbortSignal.timeout(240_000) })
  expect({ left, said }).toEqual({
    left: [],
    said: [expect.stringMatching(/^shop is not as it was recorded/), expect.stringMatching(/^shop is back after/)],
  })
  for (const [hosts, row] of [
    ['ab', 2001],
    ['c', 2002],
  ] as const) {
    await ask(net, hosts, `INSERT INTO item (id, node) VALUES ('${row}', 'after')`)
  }
  for (const hosts of ['ab', 'c']) {
    const count = async () => (await ask(net, hosts, 'SELECT count(*)::int FROM item')).flat()
    await expect.poll(count, { timeout: 60_000 }).toEqual([1002])
  }
})
