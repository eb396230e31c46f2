import { expect, test } from 'vitest'
import { kind } from '../../../kinds/database/kind.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'
import { builtBy } from './built.ts'
import { planOf } from './planned.ts'

const wish = { net: 80, nodes: { n1: 'a', n2: 'b' } }

const actual = async (meta: Record<string, ActualMaterial['meta']>) =>
  builtBy(await planOf(wish)).map((one) => ({ ...one, meta: { ...one.meta, ...meta[one.id] } }))

test('a table without a key is warned about once, with the nodes that have it so, by the plan and by the verdict', async () => {
  const materials = await actual({
    'postgres_database/n1:shop': { keyless: ['public.note', 'public.log'] },
    'postgres_database/n2:shop': { keyless: ['public.note'] },
  })
  const warnings = kind.warnings!({ materials, observations: [] }, 'shop')
  expect(warnings).toEqual([
    expect.stringMatching(/^table public\.note has no key on n1, n2: PostgreSQL refuses UPDATE and DELETE/),
    expect.stringMatching(/^table public\.log has no key on n1:/),
  ])
  const { notes, remodels } = await planOf(wish, materials)
  expect(remodels).toEqual([])
  expect(notes).toEqual(expect.arrayContaining(warnings))
  expect(kind.deviations!({ materials, observations: [] }, 'shop')).toEqual([])
})

test('a plan says of a link that has stopped why, and what mends it; of a table that is missing before that', async () => {
  const repair = [{ statement: 'DELETE FROM public.item WHERE id = 7', meaning: 'lets the row of n1 win' }]
  const link = { from: 'n1', to: 'n2', why: 'a conflict at id 7', table: 'public.item', key: '(id)=(7)', repair }
  const materials = await actual({
    'subscription/n1:n2:shop': { link },
    'postgres_database/n1:shop': { lacking: ['table public.extra, which n2 has'] },
  })
  const { notes, remodels } = await planOf(wish, materials)
  expect(remodels).toEqual([])
  expect(notes).toContain(
    'n2 gets nothing of what n1 writes: a conflict at id 7. To repair it, run on n2: DELETE FROM public.item WHERE id = 7; (lets the row of n1 win)',
  )
  expect(notes).toContain('n1 has no table public.extra, which n2 has: the first row of it that comes stops the link')
})

const steps = async (document: Parameters<typeof planOf>[0], materials: ActualMaterial[]) =>
  (await planOf(document, materials)).remodels.map(({ step, material }) => `${step} ${material}`)

test('sequences that draw what another node draws are set right by the next plan, and named by the verdict', async () => {
  const materials = await actual({ 'postgres_database/n2:shop': { unshared: ['public.item_id_seq'] } })
  expect(kind.deviations!({ materials, observations: [] }, 'shop')).toEqual([
    {
      material: 'postgres_database/n2:shop',
      what: 'may draw numbers that other nodes draw too, by public.item_id_seq: the next deploy sets that right',
    },
  ])
  expect(await steps(wish, materials)).toEqual(['share-sequences sequences/n2'])
})

test('a database of one node draws every number, until another node is added: then it draws its own before that one stands', async () => {
  const alone = { net: 80, nodes: { n1: 'a' } }
  const meta = { unshared: ['public.item_id_seq'] }
  const materials = builtBy(await planOf(alone)).map((one) =>
    one.id === 'postgres_database/n1:shop' ? { ...one, meta: { ...one.meta, ...meta } } : one,
  )
  expect(await steps(alone, materials)).toEqual([])
  expect(kind.deviations!({ materials, observations: [] }, 'shop')).toEqual([])
  const [first] = await steps(wish, materials)
  expect(first).toBe('share-sequences sequences/n1')
  const { remodels } = await planOf(alone)
  const shares = (plan: typeof remodels) =>
    plan
      .filter(({ step }) => step === 'set-up-database')
      .map(({ input }) => (input as { shareOf: string | null }).shareOf)
  expect(shares(remodels)).toEqual([null])
  expect(shares((await planOf(wish)).remodels)).toEqual(['n1', 'n2'])
})
