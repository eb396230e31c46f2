import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Plan } from '../../../shared/model/plan.ts'
import { failpointsOf } from '../../chaos/failpoints.ts'
import { Field } from './field.ts'
import { documentOf, expectWhole, type Wish } from './support.ts'
import { Writer } from './writer.ts'

let field: Field
beforeEach(async () => {
  field = await Field.open()
})
afterEach(() => field.close())

const wishOf = (nodes: Wish['nodes']): Wish => ({ net: field.net, nodes, keep: 2 })
const [old, other] = [
  { n1: 'a', n2: 'bc' },
  { n1: 'a', n5: 'bc' },
]
const servers: Record<string, number> = { a: 1, b: 2, c: 3 }

async function planOf(wish: Wish): Promise<Plan> {
  const plan = await field.plan(documentOf(wish))
  if ('said' in plan) throw new Error(plan.said)
  return plan
}

const sql = (letter: string, statement: string) => field.sql('shop', letter, servers[letter]!, statement)

/** What only a server that is neither restored nor copied nor started again keeps. */
async function identity(): Promise<unknown[]> {
  const of = `SELECT system_identifier::text || ' ' || pg_postmaster_start_time() FROM pg_control_system()`
  return Promise.all(Object.keys(servers).map((letter) => sql(letter, of)))
}

/** What any server has under a node's name: slots, subscriptions, servers and readers that are connected. */
async function namesOf(node: string): Promise<string[]> {
  const named = `SELECT coalesce(string_agg(name, ', '), '') FROM (
    SELECT 'slot ' || slot_name AS name FROM pg_replication_slots WHERE slot_name ~ '_${node}(_|$)'
    UNION ALL SELECT 'subscription ' || subname FROM pg_subscription WHERE subname ~ '_${node}(_|$)'
    UNION ALL SELECT 'reader ' || application_name FROM pg_stat_replication WHERE application_name ~ '(^|_)${node}(_|-|$)') AS all_names`
  const all = await Promise.all(
    Object.keys(servers).map(async (letter) => `${letter}: ${String(await sql(letter, named))}`),
  )
  return all.filter((one) => !one.endsWith(': '))
}

/** Replicas let the copies of slots go that their primary has no more. */
const noneOf = (node: string) => expect.poll(() => namesOf(node), { timeout: 90_000 }).toEqual([])

/** Writes to both nodes while something is done, then all rows are on both. */
async function written(what: () => Promise<void>): Promise<void> {
  const writers = ['a', 'bc'].map((hosts) => new Writer(field.net, `${hosts}-${performance.now()}`, hosts))
  try {
    await expect
      .poll(() => writers.every(({ acknowledged }) => acknowledged.length > 20), { timeout: 60_000 })
      .toBe(true)
    await what()
    const had = writers.map(({ acknowledged }) => acknowledged.length)
    const more = () => writers.every(({ acknowledged }, at) => acknowledged.length > had[at]! + 20)
    await expect.poll(more, { timeout: 60_000 }).toBe(true)
  } finally {
    await Promise.all(writers.map((writer) => writer.stop()))
  }
  await expectWhole(
    field.net,
    ['a', 'bc'],
    writers.flatMap(({ acknowledged }) => acknowledged),
  )
}

describe('a node whose hosts the document has under another name', { timeout: 600_000 }, () => {
  test('keeps its servers and its rows under writers; links, slots and replicas have its new name, and the way back is the same', async () => {
    expect(await field.deploy(documentOf(wishOf(old)))).toMatchObject({ state: 'done', said: '' })
    const was = await identity()
    await written(async () => {
      const plan = await planOf(wishOf(other))
      expect(plan.consequences?.[0]).toMatch(/^node n2 is called n5 from now on, and keeps its servers, data and links/)
      expect(plan.remodels.filter(({ destructive }) => destructive)).toEqual([])
      const steps = plan.remodels.map(({ step }) => step).filter((step) => step !== 'barrier')
      expect(steps).toEqual(['archive-log', 'rename-node', 'share-sequences', 'back-up-node'])
      expect(await field.carryOut(plan)).toMatchObject({ state: 'done', said: '' })
    })
    expect(await identity()).toEqual(was)
    await noneOf('n2')
    expect(await namesOf('n5')).toHaveLength(3)
    expect((await planOf(wishOf(other))).remodels).toEqual([])
    await expect.poll(async () => (await field.client.verdict('shop', 0)).deviations, { timeout: 60_000 }).toEqual([])
    await written(async () => {
      expect(await field.deploy(documentOf(wishOf(old)))).toMatchObject({ state: 'done', said: '' })
    })
    expect(await identity()).toEqual(was)
    await noneOf('n5')
    expect((await planOf(wishOf(old))).remodels).toEqual([])
  })

  test('may be each of two nodes of one document at once', async () => {
    expect(await field.deploy(documentOf(wishOf(old)))).toMatchObject({ state: 'done', said: '' })
    const was = await identity()
    const both = wishOf({ n4: 'a', n5: 'bc' })
    await written(async () => {
      expect(await field.deploy(documentOf(both))).toMatchObject({ state: 'done', said: '' })
    })
    expect(await identity()).toEqual(was)
    await noneOf('n1')
    await noneOf('n2')
    expect((await planOf(both)).remodels).toEqual([])
  })

  test('goes on under its new name where the worker is killed at any point of it', { timeout: 1_200_000 }, async () => {
    expect(await field.deploy(documentOf(wishOf(old)))).toMatchObject({ state: 'done', said: '' })
    const was = await identity()
    const points = failpointsOf('database').filter(({ name }) => name.startsWith('rename-node.'))
    expect(points.length).toBeGreaterThan(5)
    for (const [at, { name }] of points.entries()) {
      await field.arm(name)
      const wish = wishOf(at % 2 === 0 ? other : old)
      await written(async () => {
        expect(await field.deploy(documentOf(wish)), name).toMatchObject({ state: 'done', said: '' })
      })
      expect(field.died.at(-1)).toBe(name)
      expect(
        (await planOf(wish)).remodels.map(({ id }) => id),
        name,
      ).toEqual([])
    }
    expect(await identity()).toEqual(was)
  })
})
