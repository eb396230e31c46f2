import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Field } from './field.ts'
import { killMachine } from './freeze.ts'
import { ask, documentOf, type Wish } from './support.ts'

/** A server takes over that lacks what another node has read already, as a loss was accepted. */
let field: Field
const wish = (): Wish => ({ net: field.net, nodes: { n1: 'ab', n2: 'c' }, synchronous: false })

beforeEach(async () => {
  field = await Field.open()
  expect(await field.deploy(documentOf(wish()))).toMatchObject({ state: 'done', said: '' })
})
afterEach(() => field.close())

const limit = { timeout: 120_000 }
const write = (hosts: string, id: string) => ask(field.net, hosts, `INSERT INTO entry VALUES ('${id}', '${hosts}')`)
const rows = async (hosts: string) => (await ask(field.net, hosts, 'SELECT id FROM entry ORDER BY id')).flat()
const position = (host: string, at: number) =>
  field.sql('shop', host, at, `SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint::text`)

/**
 * The replica hears nothing any more; n2 reads on, far beyond where the replica is. Then the primary's machine is
 * gone. Answers where its log ended.
 */
async function leaveBehind(): Promise<number> {
  await write('ab', 'a before')
  await expect.poll(() => rows('c'), limit).toEqual(['a before'])
  const has = `SELECT pg_last_wal_replay_lsn() >= $$LSN$$::pg_lsn`
  const now = String(await field.sql('shop', 'a', 1, 'SELECT pg_current_wal_lsn()::text'))
  await expect.poll(() => field.sql('shop', 'b', 2, has.replace('LSN', now)), limit).toBe(true)
  await field.sql(
    'shop',
    'b',
    2,
    `ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=1'`,
    'SELECT pg_reload_conf()',
  )
  const followers = `SELECT count(*)::int FROM pg_stat_replication WHERE application_name = 'n1-b'`
  await expect.poll(() => field.sql('shop', 'a', 1, followers), limit).toBe(0)
  await write('ab', 'b lost')
  const much = `SELECT pg_logical_emit_message(false, 'test', repeat('x', 4000000))::text`
  await field.sql('shop', 'a', 1, ...Array.from({ length: 40 }, () => much))
  await write('ab', 'c lost')
  await expect.poll(() => rows('c'), limit).toEqual(['a before', 'b lost', 'c lost'])
  const end = Number(await position('a', 1))
  const machines = join(field.stack.home, 'machines')
  killMachine(machines, 'db-shop-a')
  await expect.poll(async () => (await field.stack.provider.findVm('db-shop-a'))?.state, limit).not.toBe('running')
  return end
}

async function failOver(): Promise<void> {
  const { plan } = await field.client.plan({
    manifest: { name: 'case.yml', content: documentOf(wish()) },
    options: { acceptLoss: true },
  })
  expect(plan.remodels.map(({ step }) => step)).toContain('fail-over')
  expect(await field.carryOut(plan)).toMatchObject({ state: 'done', said: '' })
}

/** What is written now lies before what n2 has read of the old primary: it would be skipped there. */
async function expectRead(end: number): Promise<void> {
  await write('ab', 'd since')
  expect(Number(await position('b', 2))).toBeLessThan(end)
  await expect.poll(() => rows('c'), limit).toEqual(['a before', 'b lost', 'c lost', 'd since'])
  await write('c', 'e of n2')
  await expect.poll(() => rows('ab'), limit).toEqual(['a before', 'd since', 'e of n2'])
  await expect.poll(() => rows('c'), limit).toEqual(['a before', 'b lost', 'c lost', 'd since', 'e of n2'])
  expect((await field.client.verdict('shop', 20)).deviations).toEqual([])
  expect(await field.plan(documentOf(wish()))).toMatchObject({ remodels: [] })
  const places = `SELECT count(*)::int FROM pg_replication_origin`
  expect(await field.sql('shop', 'c', 3, places)).toBe(1)
}

describe('a fail-over that loses what another node has read', { timeout: 900_000 }, () => {
  test('leaves nothing out that is written behind it: its readers go on from where the histories part', async () => {
    const end = await leaveBehind()
    await failOver()
    await expectRead(end)
  })

  test.for(['fork.held', 'fail-over.promoted', 'fork.taken-back'])('nor where its worker dies at %s', async (point) => {
    const end = await leaveBehind()
    await field.arm(point)
    await failOver()
    expect(field.died).toEqual([point])
    await expectRead(end)
  })
})
