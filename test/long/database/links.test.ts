import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createStyle } from '../../../cli/views/style.ts'
import { DatabaseClient } from '../../../kinds/database/api/client.ts'
import { findDatabase } from '../../../kinds/database/cli/databases.ts'
import { databaseLines } from '../../../kinds/database/cli/views/database.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { Field } from './field.ts'

let field: Field
beforeAll(async () => {
  field = await Field.open()
})
afterAll(() => field.close())

const one = (...statements: string[]) => run('a', 1, statements)
const two = (...statements: string[]) => run('c', 3, statements)
async function run(host: string, address: number, statements: string[]): Promise<unknown> {
  let last: unknown
  await field.inDatabase('till', host, address, async (session) => {
    for (const statement of statements) last = await session.value(statement)
  })
  return last
}
const state = async () => (await findDatabase('till', field.client)).state
const deviations = async () => (await field.client.verdict('till', 0)).deviations

describe('a link between two nodes', { timeout: 300_000 }, () => {
  test('that has stopped at a conflict makes the database degraded, and is named until it is mended', async () => {
    const document = field.document('B16/1-till.yml')
    expect(await field.deploy(document)).toMatchObject({ state: 'done', said: '' })
    await expect.poll(state, { timeout: 60_000 }).toBe('running')
    await two('ALTER SUBSCRIPTION remodel_n1_n2 DISABLE')
    await one(`INSERT INTO item (id, name) VALUES (5000, 'here')`)
    await one('ALTER SUBSCRIPTION remodel_n2_n1 DISABLE')
    await two(`INSERT INTO item (id, name) VALUES (5000, 'there')`)
    await two('ALTER SUBSCRIPTION remodel_n1_n2 ENABLE')
    await one('ALTER SUBSCRIPTION remodel_n2_n1 ENABLE')
    await expect.poll(async () => (await deviations()).length, { timeout: 60_000 }).toBe(2)
    await one(`INSERT INTO item (id, name) VALUES (1001, 'later')`)
    expect(await state()).toBe('degraded')
    const lines = databaseLines(await findDatabase('till', field.client), createStyle(false)).join('\n')
    expect(lines).toContain('n2 gets nothing of what n1 writes: a row of n1 meets another one on n2: insert_exists')
    expect(lines).toContain(`next: run on n2: DELETE FROM public.item WHERE id = '5000'`)
    expect((await deviations()).find(({ material }) => material === 'node/n2')).toEqual({
      material: 'node/n2',
      what: expect.stringMatching(/^gets nothing of what n1 writes: .* table public\.item, key \(id\)=\(5000\)$/),
      next: expect.stringMatching(/^run on n2: DELETE FROM public\.item .* SKIP \(lsn = /),
    })
    const plan = (await field.plan(document)) as Plan
    expect(plan.remodels.map(({ id }) => id)).toEqual([])
    expect(plan.notes.join('\n')).toMatch(/n2 gets nothing of what n1 writes: .*5000/)
    await two('DELETE FROM item WHERE id = 5000')
    await one('DELETE FROM item WHERE id = 5000')
    await expect.poll(() => two('SELECT name FROM item WHERE id = 1001'), { timeout: 60_000 }).toBe('later')
    await expect.poll(deviations, { timeout: 60_000 }).toEqual([])
    expect(await state()).toBe('running')
  })

  test('that is not connected is named with what PostgreSQL says, and no more when it is back', async () => {
    field.document('B16/1-till.yml')
    const onReader = async (script: string) => {
      const machine = await field.stack.provider.connect('db-till-c', null)
      await machine.exec(['/bin/sh', '-euc', `cd /var/vcap/store/postgres; ${script}`])
      machine.close()
    }
    const carried = async () => (await deviations()).find(({ material }) => material === 'node/n2')?.what ?? ''
    await onReader('mv passwords passwords.away')
    await one(
      `SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = 'remodel_n1_n2' AND active`,
    )
    await expect
      .poll(carried, { timeout: 60_000 })
      .toMatch(/^gets nothing of what n1 writes: n2 is not connected to n1: .*password/)
    await onReader('mv passwords.away passwords')
    await expect.poll(deviations, { timeout: 60_000 }).toEqual([])
  })

  test('is said to stop before it does, where a node has a table that the other one has not', async () => {
    const document = field.document('B16/1-till.yml')
    await one('CREATE TABLE public.extra (id int PRIMARY KEY)')
    expect(await deviations()).toContainEqual({
      material: 'postgres_database/n2:till',
      what: 'has no table public.extra, which n1 has: the first row of it that another node writes stops the link',
    })
    await one('INSERT INTO public.extra VALUES (1)')
    await expect.poll(state, { timeout: 60_000 }).toBe('degraded')
    const without = document.replace('  - { name: n1, host_ids: [a, b] }\n', '')
    expect(await field.plan(without)).toMatchObject({
      state: 'refused',
      said: expect.stringMatching(
        /n2 cannot apply what n1 sent it: table public\.extra is missing on n2, and 1 row would be lost/,
      ),
    })
    const mended = { sql: 'CREATE TABLE extra (id int PRIMARY KEY)', nodes: ['n2'] }
    expect(await new DatabaseClient(field.client).runStatements('till', mended)).toEqual([
      { node: 'n2', state: 'done', why: null },
    ])
    await expect.poll(() => two('SELECT count(*)::int FROM public.extra'), { timeout: 60_000 }).toBe(1)
    const both = await new DatabaseClient(field.client).runStatements('till', {
      sql: 'ALTER TABLE item ADD COLUMN note text',
    })
    expect(both.map(({ node, state }) => [node, state])).toEqual([
      ['n1', 'done'],
      ['n2', 'done'],
    ])
    expect(await field.deploy(document)).toMatchObject({ state: 'done', said: '' })
    await expect.poll(deviations, { timeout: 60_000 }).toEqual([])
  })

  test('that stopped at a table goes on when that was made by hand, and the row that has waited comes over', async () => {
    const document = field.document('D13-ddl-row-lost/shop.yml').replaceAll(/(127\.\d+\.0\.)(\d)/g, '$15$2')
    expect(await field.deploy(document)).toMatchObject({ state: 'done', said: '' })
    const at = (host: string, address: number, sql: string) =>
      new Promise<unknown>((resolve, reject) => {
        const run = field.inDatabase('shop', host, address, async (session) => resolve(await session.value(sql)))
        run.catch(reject)
      })
    const table = 'CREATE TABLE public.extra (id int PRIMARY KEY, v text)'
    await at('a', 51, table)
    await at('a', 51, `INSERT INTO public.extra VALUES (1, 'n1')`)
    const named = async () => (await field.client.verdict('shop', 0)).deviations.map(({ what }) => what).join()
    await expect.poll(named, { timeout: 60_000 }).toMatch(/table public\.extra is missing on n2/)
    await at('c', 53, table)
    await expect.poll(() => at('c', 53, 'SELECT v FROM public.extra'), { timeout: 60_000 }).toBe('n1')
    expect(await field.deploy(document)).toMatchObject({ state: 'done', said: '' })
    await expect.poll(named, { timeout: 60_000 }).toBe('')
    expect(await at('c', 53, 'SELECT v FROM public.extra')).toBe('n1')
  })
})
