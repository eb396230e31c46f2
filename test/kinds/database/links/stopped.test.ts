import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stoppedBy } from '../../../../kinds/database/postgres/links/repair.ts'
import { lackingOn, tablesOf } from '../../../../kinds/database/postgres/links/tables.ts'
import { TwoNodes } from './servers.ts'

let nodes: TwoNodes
beforeAll(async () => {
  nodes = await TwoNodes.open(
    'CREATE TABLE item (id int PRIMARY KEY, name text)',
    'CREATE TABLE pair (a int, "B c" text, v text, PRIMARY KEY (a, "B c"))',
    'CREATE TABLE note (body text)',
  )
}, 60_000)
afterAll(() => nodes.close())

/** Waits until n2 fails, and answers what is said of it. */
async function stopped() {
  await expect.poll(() => nodes.failure(), { timeout: 60_000 }).not.toBeNull()
  return stoppedBy((await nodes.failure())!, ['n1', 'n2'], { there: nodes.n1, here: nodes.n2 })
}

async function expectMended(sql: string, value: unknown): Promise<void> {
  await expect.poll(() => nodes.n2.value(sql), { timeout: 60_000 }).toBe(value)
  await expect.poll(() => nodes.failure(), { timeout: 60_000 }).toBeNull()
}

/** Each test goes on where the one before it has mended the link. */
describe('a link that has stopped', { timeout: 120_000 }, () => {
  test('at a conflict names table and key, and goes on when the row that is in its way is deleted', async () => {
    await nodes.n2.query(`ALTER SUBSCRIPTION remodel_n1_n2 DISABLE`)
    await nodes.n1.query(`INSERT INTO pair VALUES (1, 'it''s', 'of n1')`)
    await nodes.n1.query(`ALTER SUBSCRIPTION remodel_n2_n1 DISABLE`)
    await nodes.n2.query(`INSERT INTO pair VALUES (1, 'it''s', 'of n2')`)
    await nodes.n2.query(`ALTER SUBSCRIPTION remodel_n1_n2 ENABLE`)
    const found = await stopped()
    expect(found).toMatchObject({ table: 'public.pair', key: `(a, "B c")=(1, it's)` })
    expect(found.why).toBe(
      `a row of n1 meets another one on n2: insert_exists in table public.pair, key (a, "B c")=(1, it's)`,
    )
    expect(found.repair[0]).toEqual({
      statement: `DELETE FROM public.pair WHERE a = '1' AND "B c" = 'it''s'`,
      meaning: 'lets the row of n1 win',
    })
    await nodes.n2.query(found.repair[0]!.statement)
    await expectMended('SELECT v FROM pair', 'of n1')
  })

  test('at a conflict goes on without the transaction that is left out', async () => {
    await nodes.n2.query(`INSERT INTO item VALUES (7, 'of n2')`)
    await nodes.n1.query(`INSERT INTO item VALUES (7, 'of n1')`)
    const found = await stopped()
    expect(found.repair[1]?.statement).toMatch(/^ALTER SUBSCRIPTION "remodel_n1_n2" SKIP \(lsn = '0\/[0-9A-F]+'\)$/)
    await nodes.n2.query(found.repair[1]!.statement)
    await nodes.n1.query(`INSERT INTO item VALUES (8, 'later')`)
    await expectMended('SELECT name FROM item WHERE id = 8', 'later')
    expect(await nodes.n2.value('SELECT name FROM item WHERE id = 7')).toBe('of n2')
  })

  test('at a table that is missing gives the statement that makes it', async () => {
    await nodes.n1.query('CREATE SCHEMA "A b"')
    await nodes.n1.query(
      `CREATE TABLE "A b"."T" (id serial PRIMARY KEY, "Due at" timestamptz DEFAULT now() NOT NULL, of varchar(9)[], UNIQUE ("Due at"))`,
    )
    await nodes.n1.query(`INSERT INTO "A b"."T" (of) VALUES ('{x}')`)
    const found = await stopped()
    expect(found.why).toBe('table A b.T is missing on n2')
    expect(found.repair).toHaveLength(1)
    for (const statement of found.repair[0]!.statement.split('; ')) await nodes.n2.query(statement)
    const tables = new Map([
      ['n1', await tablesOf(nodes.n1)],
      ['n2', await tablesOf(nodes.n2)],
    ])
    expect(lackingOn('n2', tables)).toEqual([])
    // The row that has waited comes over, by whatever hand the table was made.
    await expectMended('SELECT of[1] FROM "A b"."T"', 'x')
  })

  test('at columns that are missing gives the statement that adds them', async () => {
    await nodes.n1.query('ALTER TABLE item ADD COLUMN x int NOT NULL DEFAULT 3, ADD COLUMN "Y z" text')
    const before = new Map([
      ['n1', await tablesOf(nodes.n1)],
      ['n2', await tablesOf(nodes.n2)],
    ])
    expect(lackingOn('n2', before)).toEqual([
      'column x of table public.item, which n1 has',
      'column Y z of table public.item, which n1 has',
    ])
    expect(lackingOn('n1', before)).toEqual([])
    await nodes.n1.query(`INSERT INTO item VALUES (9, 'wide', 4, 'y')`)
    const found = await stopped()
    expect(found.why).toBe('table public.item has no columns x, Y z on n2')
    await nodes.n2.query(found.repair[0]!.statement)
    await expectMended('SELECT "Y z" FROM item WHERE id = 9', 'y')
  })

  test('at a table without a key names it', async () => {
    await nodes.n1.query(`INSERT INTO note VALUES ('a')`)
    await nodes.n1.query('ALTER TABLE note REPLICA IDENTITY FULL')
    await nodes.n1.query(`UPDATE note SET body = 'b'`)
    const found = await stopped()
    expect(found.why).toBe('table public.note has no key on n2, so rows that n1 changed cannot be found there')
    await nodes.n2.query(found.repair[0]!.statement)
    await expectMended('SELECT body FROM note', 'b')
  })

  test('at anything else says it in the words of PostgreSQL', async () => {
    await nodes.n2.query('ALTER TABLE item ADD CHECK (id < 1000)')
    await nodes.n1.query(`INSERT INTO item VALUES (2000, 'large')`)
    const found = await stopped()
    expect(found.why).toMatch(/^n2 cannot apply a change of table public\.item: .* violates check constraint/)
    await nodes.n2.query(found.repair[0]!.statement)
    await nodes.n1.query(`INSERT INTO item VALUES (10, 'small')`)
    await expectMended('SELECT name FROM item WHERE id = 10', 'small')
  })
})
