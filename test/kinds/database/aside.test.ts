import { expect, test } from 'vitest'
import { planOffline } from '../../../services/planner/planning/offline.ts'
import type { StandingMaterial } from '../../../shared/model/material.ts'
import { documentOf, type Wish } from '../../long/database/support.ts'
import { builtBy } from './built.ts'

const wish = { net: 80, nodes: { n1: 'ab', n2: 'c' } }

const planOf = (wanted: Wish, materials: StandingMaterial[]) =>
  planOffline({
    files: [{ name: 'shop.yml', content: documentOf(wanted) }],
    releases: [],
    options: {},
    floorplan: { deployment: 'shop', version: 1, materials },
  })

/** A restore was cut off: machines stand, and on that of host b lies what n1 had. */
async function cutOff(): Promise<StandingMaterial[]> {
  const standing = builtBy(await planOf(wish, []))
  return standing
    .filter(({ id }) => id.startsWith('host/'))
    .map((host) => (host.id === 'host/b' ? { ...host, meta: { ...host.meta, aside: true } } : host))
}

test('a node begins on the host where its data lies aside, and the plan says first that the restore is given up', async () => {
  const plan = await planOf(wish, await cutOff())
  expect(plan.consequences?.[0]).toBe('the restore of n1 is given up: it comes back as it was, on n1-b')
  const roles = plan.remodels
    .filter(({ step }) => step === 'set-up-instance')
    .map(({ input, material }) => [material, (input as { role: string }).role])
  expect(Object.fromEntries(roles)).toEqual({
    'instance/n1-a': 'follow',
    'instance/n1-b': 'found',
    'instance/n2-c': 'found',
  })
})

test('a document that has no use for that host is refused, unless it may lose data', async () => {
  const without = { ...wish, nodes: { n1: 'a', n2: 'c' } }
  await expect(planOf(without, await cutOff())).rejects.toMatchObject({
    faults: [{ message: expect.stringContaining('host b has what its node had before a restore') }],
  })
})
