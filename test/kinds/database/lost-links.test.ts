import { expect, test } from 'vitest'
import { inputs } from '../../../kinds/database/inputs.ts'
import { deviations } from '../../../kinds/database/plan/deviations.ts'
import { planOffline } from '../../../services/planner/planning/offline.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'
import { builtBy } from './built.ts'
import { documentOf, type Wish } from './document.ts'

const two: Wish = { net: 80, nodes: { n1: 'a', n2: 'b' } }
const planOf = (wish: Wish, materials: ActualMaterial[], options = {}) =>
  planOffline({
    files: [{ name: 'shop.yml', content: documentOf(wish) }],
    releases: [],
    options,
    floorplan: { deployment: 'shop', version: 1, materials },
  })

/** Two nodes; the slot that n1 kept for n2 is lost. */
async function actual(): Promise<ActualMaterial[]> {
  return builtBy(await planOf(two, [])).map((material) => {
    if (material.id !== 'replication_slot/n1:n2:shop')
      return { ...material, meta: { ...material.meta, role: 'primary' } }
    const resource = { ...(material.meta.resource as object), needs_recreate: true }
    return { ...material, meta: { resource, lost: 'it is gone', missed: 3 * 2 ** 20 } }
  })
}

test('a node whose slot was lost at another one keeps a plan from being drawn, with how much it misses and the way to it', async () => {
  await expect(planOf(two, await actual())).rejects.toMatchObject({
    faults: [
      {
        path: 'nodes[1].name',
        message: expect.stringMatching(
          /^node n2 misses what n1 wrote since .*it is gone.*at most 3.0 MiB .*Deploy without n2.*source_node n1.*--accept-loss/,
        ),
      },
    ],
  })
})

test('where the loss is accepted the plan says first what the node goes on without, and makes the slot anew', async () => {
  const { consequences, remodels } = await planOf(two, await actual(), { acceptLoss: true })
  expect(consequences?.[0]).toMatch(/^node n2 goes on without what n1 wrote since .*3.0 MiB/)
  const made = remodels.find(({ step }) => step === 'create-slot')
  expect(inputs['create-slot'].parse(made?.input)).toMatchObject({ provider: 'n1', subscriber: 'n2', loss: true })
})

test('either of the two nodes may go', async () => {
  const without = await planOf({ net: 80, nodes: { n1: 'a' } }, await actual())
  expect(without.remodels.map(({ step }) => step)).toContain('drain-node')
  const other = await planOf({ net: 80, nodes: { n2: 'b' } }, await actual())
  expect(other.remodels.map(({ step }) => step)).toContain('drain-node')
})

test('the step may not miss rows on its own account, of any subscriber', async () => {
  const built = builtBy(await planOf(two, []))
  const { remodels } = await planOf({ net: 80, nodes: { ...two.nodes, n3: 'c' }, source: { n3: 'n1' } }, built)
  const made = remodels
    .filter(({ step }) => step === 'create-slot')
    .map(({ input }) => inputs['create-slot'].parse(input))
  expect(made.filter(({ loss }) => loss)).toEqual([])
})

test('the verdict names the node that misses something', async () => {
  expect(deviations({ materials: await actual(), observations: [] }, 'shop')).toEqual([
    { material: 'replication_slot/n1:n2:shop', what: 'is lost (it is gone): n2 misses what n1 wrote since' },
  ])
})
