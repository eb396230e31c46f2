import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Plan } from '../../../shared/model/plan.ts'
import { Field } from './field.ts'
import { addressOf, documentOf, expectWhole, passwordOf, type Wish } from './support.ts'
import { Writer } from './writer.ts'

/** A node is added to two that stand, and a client writes to it from the first moment on at which it is let in. */
let field: Field
beforeEach(async () => {
  field = await Field.open()
})
afterEach(() => field.close())

const two = (): Wish => ({ net: field.net, nodes: { n1: 'a', n2: 'b' } })
const three = (): Wish => ({ ...two(), nodes: { n1: 'a', n2: 'b', n3: 'cd' }, source: { n3: 'n1' } })

async function planOf(wish: Wish): Promise<Plan> {
  const plan = await field.plan(documentOf(wish))
  if ('said' in plan) throw new Error(plan.said)
  return plan
}

/** With the assembler stopped where n3 is a node of its own, and no other node has a slot on it. */
async function unlinked(): Promise<Plan> {
  expect(await field.deploy(documentOf(two()))).toMatchObject({ state: 'done', said: '' })
  await field.stall('populate-node.subscribed')
  const plan = await planOf(three())
  await field.client.apply(plan.id, {})
  const takesWrites = () => field.sql('shop', 'c', 3, 'SELECT pg_is_in_recovery()').catch(() => null)
  await expect.poll(takesWrites, { timeout: 120_000 }).toBe(false)
  const subscribed = `SELECT count(*)::int FROM pg_subscription WHERE subname = 'remodel_n1_n3' AND subenabled`
  await expect.poll(() => field.sql('shop', 'c', 3, subscribed).catch(() => 0), { timeout: 120_000 }).toBe(1)
  return plan
}

/** What PostgreSQL says to a client of this server. */
async function said(letter: string, user = 'app'): Promise<string> {
  const at = { host: addressOf(field.net, letter), port: 5432, database: 'shop', user, password: passwordOf(user) }
  const client = new pg.Client({ ...at, connectionTimeoutMillis: 5000 })
  client.on('error', () => {})
  try {
    await client.connect()
    return 'come in'
  } catch (error) {
    return (error as Error).message
  } finally {
    await client.end().catch(() => {})
  }
}

async function restart(letter: string): Promise<void> {
  const machine = await field.stack.provider.connect(`db-shop-${letter}`, null)
  await machine.stop(30_000)
  await machine.start()
  machine.close()
  const there = () => field.sql('shop', letter, letter.charCodeAt(0) - 96, 'SELECT 1').catch(() => null)
  await expect.poll(there, { timeout: 60_000 }).toBe(1)
}

describe('a node that is added', { timeout: 600_000 }, () => {
  test('lets no client in before every other node gets what is written to it, so no acknowledged row is lost', async () => {
    const plan = await unlinked()
    const writer = new Writer(field.net, 'early', 'c')
    const refused: string[] = []
    try {
      // Longer than a client needs to be let in, were it let in.
      for (let n = 0; n < 20; n++) refused.push(await said('c'), await said('d'))
      await field.replaceAssemblers()
      expect(await field.ended(plan)).toMatchObject({ state: 'done', said: '' })
      await expect.poll(() => writer.acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(20)
    } finally {
      await writer.stop()
    }
    await expectWhole(field.net, ['a', 'b', 'cd'], writer.acknowledged)
    expect(new Set(refused.map((one) => one.replace(/host ".*/, 'host')))).toEqual(
      new Set(['pg_hba.conf rejects connection for host']),
    )
  })

  test('stays closed where its plan was cut off, also to a superuser and over a restart, is shown as closed, and the next plan opens it', async () => {
    const plan = await unlinked()
    await field.client.cancel(plan.id)
    await field.replaceAssemblers()
    expect(['cancelled', 'failed']).toContain((await field.ended(plan)).state)
    await restart('c')
    for (const letter of ['c', 'd'])
      for (const user of ['app', 'tester']) expect(await said(letter, user)).toMatch(/^pg_hba.conf rejects connection/)
    const { deviations } = await field.client.verdict('shop', 0)
    expect(deviations).toContainEqual(
      expect.objectContaining({ material: 'node/n3', what: expect.stringMatching(/^is being added/) }),
    )
    const writer = new Writer(field.net, 'late', 'c')
    try {
      expect(await field.deploy(documentOf(three()))).toMatchObject({ state: 'done', said: '' })
      await expect.poll(() => writer.acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(20)
    } finally {
      await writer.stop()
    }
    await expectWhole(field.net, ['a', 'b', 'cd'], writer.acknowledged)
    expect((await planOf(three())).remodels.map(({ id }) => id)).toEqual([])
    expect((await field.client.verdict('shop', 0)).deviations).toEqual([])
  })

  test('and is taken out of the document again before it was opened goes as it is, without a drain', async () => {
    const plan = await unlinked()
    await field.client.cancel(plan.id)
    await field.replaceAssemblers()
    await field.ended(plan)
    const back = await planOf(two())
    expect(back.consequences).toContain('node n3 was being added and has let no client in: it goes as it is')
    expect(back.remodels.map(({ step }) => step)).not.toContain('drain-node')
    expect(await field.carryOut(back)).toMatchObject({ state: 'done', said: '' })
    expect((await planOf(two())).remodels.map(({ id }) => id)).toEqual([])
  })

  test('and cut off while it is opened counts as one that clients wrote to, and the next plan opens the rest of it', async () => {
    expect(await field.deploy(documentOf(two()))).toMatchObject({ state: 'done', said: '' })
    await field.stall('open-node.admitted')
    const plan = await planOf(three())
    await field.client.apply(plan.id, {})
    await expect.poll(() => said('c').catch(() => ''), { timeout: 120_000 }).toBe('come in')
    await field.client.cancel(plan.id)
    await field.replaceAssemblers()
    await field.ended(plan)
    expect(await said('d')).toMatch(/^pg_hba.conf rejects connection/)
    expect((await planOf(two())).consequences?.[0]).toMatch(/^node n3 goes: its writes end/)
    expect(await field.deploy(documentOf(three()))).toMatchObject({ state: 'done', said: '' })
    expect(await said('d')).toBe('come in')
    expect((await planOf(three())).remodels.map(({ id }) => id)).toEqual([])
  })
})
