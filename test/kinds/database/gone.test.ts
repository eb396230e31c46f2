import { expect, test } from 'vitest'
import { builtBy } from './built.ts'
import type { Wish } from './document.ts'
import { planOf } from './planned.ts'

const wish: Wish = { net: 80, nodes: { n1: 'a', n2: 'b' } }

/** Two nodes, of which the second has no database any more. */
async function withoutDatabase() {
  return builtBy(await planOf(wish)).map((material) =>
    material.id === 'postgres_database/n2:shop' ? { ...material, meta: { ...material.meta, gone: true } } : material,
  )
}

test('a database that another hand has dropped is not made anew, empty: the plan is refused with the two ways out', async () => {
  await expect(planOf(wish, await withoutDatabase())).rejects.toMatchObject({
    faults: [
      {
        path: 'nodes[1].name',
        message:
          'database shop of node n2 is gone: restore it (restore_config), or deploy without n2, then add it again',
      },
    ],
  })
})

test('its node goes without a drain, as it has nothing that another node could get', async () => {
  const plan = await planOf({ ...wish, nodes: { n1: 'a' } }, await withoutDatabase())
  expect(plan.consequences).toContain('node n2 has no database any more: it goes as it is')
  expect(plan.remodels.map(({ step }) => step)).not.toContain('drain-node')
})
