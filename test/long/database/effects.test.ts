import { afterAll, beforeAll, expect, test } from 'vitest'
import { effect } from '../../../kinds/database/testing/effect.ts'
import { execute } from '../../../kinds/testing/execution.ts'
import type { Client } from '../../../shared/api/client.ts'
import { Ledger } from '../../../shared/ledger/ledger.ts'
import type { Floorplan } from '../../../shared/model/material.ts'
import { connectRedis } from '../../../shared/runtime/redis.ts'
import { startServices, type TestStack } from '../../support/services.ts'
import { ownNet } from './net.ts'
import { carryOut, documentOf, type Wish } from './support.ts'

/**
 * The effects by which golden plans and the lab carry a plan out on paper, beside the steps that carry it out: both
 * leave the same floorplan.
 */
let stack: TestStack
let client: Client
let ledger: Ledger
let first: Wish

beforeAll(async () => {
  stack = await startServices({ planner: 1, assembler: 1 })
  client = stack.client()
  const settings = { url: stack.redis.url, prefix: 'remodel' }
  ledger = new Ledger(connectRedis(settings, 'service'), settings)
  first = { net: await ownNet(), nodes: { n1: 'ab', n2: 'c' } }
})
afterAll(async () => {
  ledger.redis.disconnect()
  await stack.stop()
})

const onPaperAfter = async (plan: Parameters<typeof execute>[0]) =>
  execute(plan, await ledger.floorplan('shop'), effect).floorplan

/** Material -> what it is. */
const said = ({ materials }: Floorplan) => Object.fromEntries(materials.map(({ id, attributes }) => [id, attributes]))

test.each<[string, (of: Wish) => Wish]>([
  ['a first deploy', (of) => of],
  ['another setting', (of) => ({ ...of, settings: { work_mem: '5MB' } })],
  ['a node that is added', (of) => ({ ...of, nodes: { ...of.nodes, n3: 'd' }, source: { n3: 'n1' } })],
  ['another primary', (of) => ({ ...of, primary: { n1: 'b' } })],
  ['a node under another name', (of) => ({ ...of, nodes: { n1: 'ab', n7: 'c' } })],
  ['a node less', (of) => ({ ...of, nodes: { n1: 'ab' } })],
])('after %s the floorplan is the one on paper', { timeout: 240_000 }, async (_what, change) => {
  const manifest = { name: 'shop.yml', content: documentOf(change(first)) }
  const { plan } = await client.plan({ manifest })
  expect(plan.remodels.length).toBeGreaterThan(0)
  const onPaper = await onPaperAfter(plan)
  await carryOut(client, plan.id, 120_000)
  expect(said(await ledger.floorplan('shop'))).toEqual(said(onPaper))
})

test('after the removal there is nothing, as on paper', { timeout: 240_000 }, async () => {
  const { plan } = await client.planRemoval('shop')
  const onPaper = await onPaperAfter(plan)
  await carryOut(client, plan.id, 120_000)
  expect((await ledger.floorplan('shop')).materials).toEqual([])
  expect(said(onPaper)).toEqual({})
})
