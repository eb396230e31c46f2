import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Field } from './field.ts'
import { ask, documentOf, expectWhole, type Wish } from './support.ts'
import { Writer } from './writer.ts'

/** Links that were taken away for a restore that is withdrawn, or by hand: no row comes twice, and none is missed. */
let field: Field
const wish = (): Wish => ({ net: field.net, nodes: { n1: 'a', n2: 'b' }, keep: 2 })
const subscriptions = (host: string, at: number) =>
  field.sql('shop', host, at, 'SELECT count(*)::int FROM pg_subscription')
const places = (host: string, at: number) =>
  field.sql('shop', host, at, `SELECT count(*)::int FROM pg_replication_origin WHERE roname LIKE 'remodel%'`)

beforeEach(async () => {
  field = await Field.open()
  expect(await field.deploy(documentOf(wish()))).toMatchObject({ state: 'done', said: '' })
})
afterEach(() => field.close())

/** Both nodes are written to while `work` is done; then every acknowledged row is on both once. */
async function whileWritten(work: () => Promise<void>): Promise<void> {
  const writers = [new Writer(field.net, 'w1', 'a'), new Writer(field.net, 'w2', 'b')]
  try {
    await expect
      .poll(() => writers.every(({ acknowledged }) => acknowledged.length > 20), { timeout: 60_000 })
      .toBe(true)
    await work()
    await sleep(300)
  } finally {
    await Promise.all(writers.map((writer) => writer.stop()))
  }
  const acknowledged = writers.flatMap((writer) => writer.acknowledged)
  console.log(`${acknowledged.length} rows`)
  await expectWhole(field.net, ['a', 'b'], acknowledged)
}

async function expectSettled(): Promise<void> {
  expect(await places('a', 1)).toBe(0)
  expect(await places('b', 2)).toBe(0)
  expect((await field.client.verdict('shop', 20)).deviations).toEqual([])
  expect(await field.plan(documentOf(wish()))).toMatchObject({ remodels: [] })
}

describe('a restore that has taken the links away and is withdrawn', { timeout: 900_000 }, () => {
  test('has the nodes go on from where they were, also where the server of a slot ended without a word', async () => {
    await whileWritten(async () => {
      const immediate = { restore_options: { type: 'immediate' } }
      const plan = await field.plan(documentOf({ ...wish(), restore: { all: immediate } }))
      if ('said' in plan) throw new Error(plan.said)
      await field.stall('delete-subscription.dropped')
      await field.client.apply(plan.id, {})
      for (const [host, at] of [
        ['a', 1],
        ['b', 2],
      ] as const) {
        await expect.poll(() => subscriptions(host, at), { timeout: 120_000 }).toBe(0)
      }
      expect(await places('a', 1)).toBe(1)
      await field.stack.provider.deleteVm('db-shop-b', null)
      await field.client.cancel(plan.id)
      await field.replaceAssemblers()
      expect(['cancelled', 'failed']).toContain((await field.ended(plan)).state)
      expect(await field.deploy(documentOf(wish()))).toMatchObject({ state: 'done', said: '' })
    })
    await expectSettled()
  })

  test.for([
    // The removal of the instance has laid its data aside, and has not recorded that it is gone.
    ['remove-instance.aside', 'aside'],
    ['restore.fetched', 'replayed'],
  ] as const)(
    'of one node, cut off at %s: both nodes come back, with all that was written meanwhile',
    async ([point, there]) => {
      await whileWritten(async () => {
        const immediate = { restore_options: { type: 'immediate' } }
        const plan = await field.plan(documentOf({ ...wish(), restore: { n2: immediate } }))
        if ('said' in plan) throw new Error(plan.said)
        await field.stall(point)
        await field.client.apply(plan.id, {})
        const path = `/var/vcap/store/postgres/${there}`
        await expect.poll(() => field.isThere('db-shop-b', path), { timeout: 240_000 }).toBe(true)
        await field.client.cancel(plan.id)
        await field.replaceAssemblers()
        expect(['cancelled', 'failed']).toContain((await field.ended(plan)).state)
        const undo = await field.plan(documentOf(wish()))
        if ('said' in undo) throw new Error(undo.said)
        expect(undo.consequences?.join('\n')).toMatch(/the restore of n2 is given up: it comes back as it was, on n2-b/)
        expect(await field.carryOut(undo)).toMatchObject({ state: 'done', said: '' })
      })
      await expectSettled()
    },
  )
})

describe('a link that was dropped by hand', { timeout: 600_000 }, () => {
  const drop = () =>
    field.inDatabase('shop', 'b', 2, async (session) => {
      await session.query('ALTER SUBSCRIPTION remodel_n1_n2 DISABLE')
      await session.query('ALTER SUBSCRIPTION remodel_n1_n2 SET (slot_name = NONE)')
      await session.query('DROP SUBSCRIPTION remodel_n1_n2')
    })
  const write = (hosts: string, id: string) => ask(field.net, hosts, `INSERT INTO entry VALUES ('${id}', '${hosts}')`)
  const rows = async (hosts: string) => (await ask(field.net, hosts, 'SELECT id FROM entry ORDER BY id')).flat()

  test('with its slot is not made anew in silence, before a plan is drawn and behind that', async () => {
    await write('a', 'before')
    await expect.poll(() => rows('b'), { timeout: 60_000 }).toEqual(['before'])
    const forced = JSON.stringify({ ...JSON.parse(documentOf(wish())), force_update: true })
    const plan = await field.plan(forced)
    if ('said' in plan) throw new Error(plan.said)
    await drop()
    const idle = `SELECT pg_drop_replication_slot('remodel_n1_n2')::text`
    await expect.poll(() => field.sql('shop', 'a', 1, idle).catch(String), { timeout: 60_000 }).toBe('')
    await write('a', 'meanwhile')
    const ended = await field.carryOut(plan)
    expect(ended).toMatchObject({ state: 'failed', said: expect.stringMatching(/slot of n1 for n2 is gone/) })
    const { deviations } = await field.client.verdict('shop', 0)
    expect(deviations.map(({ what }) => what)).toContain('is lost (it is gone): n2 misses what n1 wrote since')
    expect(await field.plan(documentOf(wish()))).toMatchObject({
      state: 'refused',
      said: expect.stringMatching(/node n2 misses what n1 wrote since .*Deploy without n2/),
    })
    expect(await rows('b')).toEqual(['before'])
  })

  test('without its slot goes on where nothing waits; else rows might come twice, and the plan fails with the ways out', async () => {
    await write('a', 'before')
    await expect.poll(() => rows('b'), { timeout: 60_000 }).toEqual(['before'])
    const confirmed = `SELECT (confirmed_flush_lsn >= pg_current_wal_lsn())::text FROM pg_replication_slots WHERE slot_name = 'remodel_n1_n2'`
    await expect.poll(() => field.sql('shop', 'a', 1, confirmed), { timeout: 60_000 }).toBe('true')
    await drop()
    expect(await field.deploy(documentOf(wish()))).toMatchObject({ state: 'done', said: '' })
    await write('a', 'then')
    await expect.poll(() => rows('b'), { timeout: 60_000 }).toEqual(['before', 'then'])
    await drop()
    await write('a', 'waits')
    expect(await field.deploy(documentOf(wish()))).toMatchObject({
      state: 'failed',
      said: expect.stringMatching(/subscription of n2 to n1 was dropped.* rows? .*--accept-loss/),
    })
    expect(await rows('b')).toEqual(['before', 'then'])
  })
})
