import { expect, test } from 'vitest'
import { inputs } from '../../../kinds/database/inputs.ts'
import { deviations } from '../../../kinds/database/plan/deviations.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { builtBy } from './built.ts'
import type { Wish } from './document.ts'
import { planOf } from './planned.ts'

const two: Wish = { net: 80, nodes: { n1: 'a', n2: 'b' } }
const three: Wish = { net: 80, nodes: { n1: 'a', n2: 'b', n3: 'cd' }, source: { n3: 'n1' } }

/** The same, with servers as the inspector finds them. */
const closedAs = (materials: ActualMaterial[], closed: Record<string, string>) =>
  materials.map((material) => {
    const why = closed[material.id.replace('instance/', '')]
    const role = material.id.startsWith('instance/') ? { role: 'primary' } : {}
    return { ...material, meta: { ...material.meta, ...role, ...(why === undefined ? {} : { closed: why }) } }
  })

const setUps = ({ remodels }: Plan) =>
  remodels.flatMap(({ step, input }) => {
    if (step !== 'set-up-instance') return []
    const { member, closed } = inputs['set-up-instance'].parse(input)
    return [[member.instance, closed]]
  })

/** What a remodel waits for, over all others. */
function ahead({ remodels }: Plan, id: string): Set<string> {
  const byId = new Map(remodels.map((remodel) => [remodel.id, remodel]))
  const found = new Set<string>()
  const visit = (one: string) => {
    for (const need of byId.get(one)!.needs) {
      if (found.has(need)) continue
      found.add(need)
      visit(need)
    }
  }
  visit(id)
  return found
}

test('every server of a node that is added is set up closed, and those of existing nodes are not', async () => {
  expect(Object.fromEntries(setUps(await planOf(two)))).toEqual({ 'n1-a': true, 'n2-b': true })
  const built = builtBy(await planOf(two))
  const more = { ...three, nodes: { ...three.nodes, n1: 'ae' } }
  expect(Object.fromEntries(setUps(await planOf(more, built)))).toEqual({ 'n1-e': false, 'n3-c': true, 'n3-d': true })
})

test('a node is opened behind all its links, and where the first ones of a database are made, all of them', async () => {
  for (const plan of [await planOf(two), await planOf(three, builtBy(await planOf(two)))]) {
    const opened = plan.remodels.filter(({ step }) => step === 'open-node')
    expect(opened.map(({ material }) => material)).toEqual(
      plan.remodels.length > 0 && plan.remodels.some(({ material }) => material === 'node/n3')
        ? ['node/n3']
        : ['node/n1', 'node/n2'],
    )
    for (const { id, material, input } of opened) {
      const node = material.slice('node/'.length)
      const { peers } = inputs['open-node'].parse(input)
      const before = ahead(plan, id)
      const links = plan.remodels.filter(
        ({ material: one, action }) =>
          action !== 'delete' && /^(replication_slot|subscription)\//.test(one) && one.split(/[/:]/).includes(node),
      )
      expect(links.length).toBeGreaterThanOrEqual(2 * peers.length)
      expect(links.filter((link) => !before.has(link.id)).map((link) => link.id)).toEqual([])
    }
  }
})

test('a node that an earlier plan left closed is opened by the next one, named by the verdict, and needs nothing else', async () => {
  const built = closedAs(builtBy(await planOf(three, builtBy(await planOf(two))), builtBy(await planOf(two))), {
    'n3-c': 'opening',
    'n3-d': 'added',
  })
  expect((await planOf(three, built)).remodels.map(({ id }) => id)).toEqual(['open-node node/n3'])
  expect(deviations({ materials: built, observations: [] }, 'shop')).toMatchObject([
    { material: 'node/n3', what: 'lets no client in on n3-c, n3-d' },
  ])
})

test('a replica that joins a node that is closed is set up closed', async () => {
  const built = closedAs(builtBy(await planOf(two)), { 'n2-b': 'added' })
  const plan = await planOf({ ...two, nodes: { n1: 'a', n2: 'bc' } }, built)
  expect(Object.fromEntries(setUps(plan))).toMatchObject({ 'n2-c': true })
  expect(ahead(plan, 'open-node node/n2')).toContain('set-up-instance instance/n2-c')
})

test('a node that leaves goes undrained where no server of it has ever let a client in, and is drained where one may have', async () => {
  const built = builtBy(await planOf(three, builtBy(await planOf(two))), builtBy(await planOf(two)))
  const never = await planOf(two, closedAs(built, { 'n3-c': 'added', 'n3-d': 'added' }))
  expect(never.remodels.map(({ step }) => step)).not.toContain('drain-node')
  expect(never.consequences).toContain('node n3 was being added and has let no client in: it goes as it is')
  for (const closed of [{ 'n3-d': 'added' }, { 'n3-c': 'opening', 'n3-d': 'opening' }, {}]) {
    const plan = await planOf(two, closedAs(built, closed as Record<string, string>))
    expect(plan.remodels.map(({ step }) => step)).toContain('drain-node')
  }
})
