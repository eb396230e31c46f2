import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Field } from './field.ts'
import { ask, documentOf, type Wish } from './support.ts'

/** The slot that n1 keeps for n2 is lost while n2 does not read; what n1 writes then is in no slot. */
let field: Field
beforeEach(async () => {
  field = await Field.open()
  expect(await field.deploy(documentOf(two()))).toMatchObject({ state: 'done', said: '' })
})
afterEach(() => field.close())

const two = (): Wish => ({ net: field.net, nodes: { n1: 'a', n2: 'b' } })
const one = (): Wish => ({ net: field.net, nodes: { n1: 'a' } })
const write = (hosts: string, id: string) => ask(field.net, hosts, `INSERT INTO entry VALUES ('${id}', '${hosts}')`)
const rows = async (hosts: string) => (await ask(field.net, hosts, 'SELECT id FROM entry ORDER BY id')).flat()

async function expectRows(hosts: string, ids: string[]): Promise<void> {
  await vi.waitFor(async () => expect(await rows(hosts)).toEqual(ids), { timeout: 60_000, interval: 200 })
}

async function disabled(): Promise<void> {
  await write('a', 'before')
  await expectRows('b', ['before'])
  await field.inDatabase('shop', 'b', 2, async (session) => {
    await session.query('ALTER SUBSCRIPTION remodel_n1_n2 DISABLE')
  })
  const idle = `SELECT count(*)::int FROM pg_replication_slots WHERE slot_name = 'remodel_n1_n2' AND active`
  await expect.poll(() => field.sql('shop', 'a', 1, idle), { timeout: 60_000 }).toBe(0)
}

describe('a slot that was lost', { timeout: 600_000 }, () => {
  test('as its log became too long is not made anew in silence, and the node gets what it missed as the plan says', async () => {
    await disabled()
    await field.sql('shop', 'a', 1, `ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'`, 'SELECT pg_reload_conf()')
    await write('a', 'meanwhile')
    const ended = `SELECT count(*)::int FROM pg_replication_slots WHERE slot_name = 'remodel_n1_n2' AND invalidation_reason IS NOT NULL`
    await expect
      .poll(
        async () => {
          const grown = `SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000))`
          await field.sql('shop', 'a', 1, grown, 'SELECT pg_switch_wal()', 'CHECKPOINT')
          return field.sql('shop', 'a', 1, ended)
        },
        { timeout: 120_000 },
      )
      .toBe(1)
    await field.sql('shop', 'a', 1, 'ALTER SYSTEM RESET max_slot_wal_keep_size', 'SELECT pg_reload_conf()')
    await write('b', 'of n2')
    expect(await field.plan(documentOf(two()))).toMatchObject({
      state: 'refused',
      said: expect.stringMatching(/node n2 misses what n1 wrote since .*wal removed.*MiB .*Deploy without n2/),
    })
    const { deviations } = await field.client.verdict('shop', 0)
    expect(deviations.map(({ material }) => material)).toContain('replication_slot/n1:n2:shop')
    await expectRows('a', ['before', 'meanwhile', 'of n2'])
    expect(await rows('b')).toEqual(['before', 'of n2'])

    expect(await field.deploy(documentOf(one()))).toMatchObject({ state: 'done', said: '' })
    expect(await field.deploy(documentOf(two()))).toMatchObject({ state: 'done', said: '' })
    await expectRows('b', ['before', 'meanwhile', 'of n2'])
    await write('a', 'then')
    await expectRows('b', ['before', 'meanwhile', 'of n2', 'then'])
    expect(await field.plan(documentOf(two()))).toMatchObject({ remodels: [] })
  })

  test('only when the plan was drawn already fails its step, and is made anew where the loss is accepted', async () => {
    await disabled()
    const forced = JSON.stringify({ ...JSON.parse(documentOf(two())), force_update: true })
    const plan = await field.plan(forced)
    if ('said' in plan) throw new Error(plan.said)
    await field.sql('shop', 'a', 1, `SELECT pg_drop_replication_slot('remodel_n1_n2')`)
    await write('a', 'meanwhile')
    const ended = await field.carryOut(plan)
    expect(ended).toMatchObject({ state: 'failed', said: expect.stringMatching(/slot of n1 for n2 is gone/) })
    const left = `SELECT count(*)::int FROM pg_replication_slots WHERE slot_name = 'remodel_n1_n2'`
    expect(await field.sql('shop', 'a', 1, left)).toBe(0)
    const { plan: accepted } = await field.client.plan({
      manifest: { name: 'case.yml', content: documentOf(two()) },
      options: { acceptLoss: true },
    })
    expect(accepted.consequences?.[0]).toMatch(/^node n2 goes on without what n1 wrote since/)
    expect(await field.carryOut(accepted)).toMatchObject({ state: 'done', said: '' })
    await write('a', 'then')
    await expectRows('b', ['before', 'then'])
  })
})
