import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Client } from '../../../shared/api/client.ts'
import type { PlanView } from '../../../shared/api/schemas/plan.ts'
import { Ledger } from '../../../shared/ledger/ledger.ts'
import { type ActualMaterial, type Floorplan, materialType } from '../../../shared/model/material.ts'
import { connectRedis } from '../../../shared/runtime/redis.ts'
import { settled, startServices, type TestStack } from '../../support/services.ts'
import { planSmall, type SmallOptions, uploadSmall } from '../../support/small.ts'
import { execute } from './execution.ts'

/**
 * The effects by which golden plans, the lab and the properties of plans carry a plan out on paper, beside the steps
 * that carry it out: both leave the same floorplan.
 */
let stack: TestStack
let client: Client
let ledger: Ledger

beforeAll(async () => {
  stack = await startServices()
  client = stack.client()
  await uploadSmall(client)
  const settings = { url: stack.redis.url, prefix: 'remodel' }
  ledger = new Ledger(connectRedis(settings, 'service'), settings)
})
afterAll(async () => {
  ledger.redis.disconnect()
  await stack.stop()
})

const first: SmallOptions = { name: 'paper', net: 66, instances: 2, front: true, after: 'run' }

/** What is compiled is in an index of its own, from which the inspector adds it to the floorplan. */
let compiled: ActualMaterial[] = []
const isPackage = ({ id }: ActualMaterial) => materialType(id) === 'package'

async function carriedOut({ plan }: PlanView): Promise<{ onPaper: Floorplan; recorded: Floorplan }> {
  const before = await ledger.floorplan('paper')
  const seen = { ...before, materials: [...before.materials, ...compiled] }
  const onPaper = execute(plan, seen, () => 0).floorplan
  compiled = onPaper.materials.filter(isPackage)
  await client.apply(plan.id, {})
  expect(await settled(client, plan.id)).toBe('done')
  return { onPaper, recorded: await ledger.floorplan('paper') }
}

/** Material -> what it is, and the ids in the cloud that later plans go by. */
const said = ({ materials }: Floorplan) =>
  Object.fromEntries(
    materials
      .filter((one) => !isPackage(one))
      .map(({ id, attributes, meta: { vm, cid } }) => [id, { attributes, ...(vm && { vm }), ...(cid && { cid }) }]),
  )

test.each<[string, SmallOptions]>([
  ['a first deploy', first],
  ['a property that changed', { ...first, greeting: 'good day' }],
  ['a larger group', { ...first, instances: 3 }],
  ['another stemcell', { ...first, instances: 3, stemcell: '2' }],
  ['machines that are swapped', { ...first, instances: 3, stemcell: '3', vmStrategy: 'create-swap-delete' }],
  ['larger disks, and another type of machine', { ...first, disk: 24, vmType: 'large' }],
  ['no disks, and a group that is gone', { ...first, front: false, disk: 0 }],
])('after %s the floorplan is the one on paper', async (_what, options) => {
  const view = await planSmall(client, options)
  expect(view.plan.remodels.length).toBeGreaterThan(0)
  const { onPaper, recorded } = await carriedOut(view)
  expect(said(recorded)).toEqual(said(onPaper))
})

test.each([
  ['stop', 'app/1'],
  ['ignore', 'app/0'],
  ['unignore', 'app/0'],
  ['start', 'app'],
])('after %s %s the floorplan is the one on paper', async (action, part) => {
  const { onPaper, recorded } = await carriedOut(await client.planAction('paper', action, { parts: [part] }))
  expect(said(recorded)).toEqual(said(onPaper))
})

test('after the removal there is nothing, as on paper', async () => {
  const { onPaper, recorded } = await carriedOut(await client.planRemoval('paper'))
  expect(recorded.materials).toEqual([])
  expect(said(onPaper)).toEqual({})
})
