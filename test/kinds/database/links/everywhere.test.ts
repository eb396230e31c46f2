import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runEverywhere } from '../../../../kinds/database/postgres/links/everywhere.ts'
import { tablesLock } from '../../../../kinds/database/postgres/locks.ts'
import { TwoNodes } from './servers.ts'

let nodes: TwoNodes
beforeAll(async () => {
  nodes = await TwoNodes.open('CREATE TABLE item (id int PRIMARY KEY, name text)')
  for (const session of [nodes.n1, nodes.n2]) await session.query('CREATE ROLE app; GRANT ALL ON SCHEMA public TO app')
}, 60_000)
afterAll(() => nodes.close())

const both = () => nodes.own
const limitMs = 60_000
const run = (sql: string, owner = 'app') => runEverywhere(both(), sql, { owner, share: true, limitMs })
const count = (node: 'n1' | 'n2', table: string) => nodes[node].value(`SELECT count(*)::int FROM ${table}`)

describe('statements on all nodes', { timeout: 120_000 }, () => {
  test('make a table that is replicated from its first row on, with numbers of each node', async () => {
    const sql = 'CREATE TABLE extra (id serial PRIMARY KEY, v text); CREATE INDEX ON extra (v)'
    expect(await run(sql)).toEqual([
      { node: 'n1', state: 'done', why: null },
      { node: 'n2', state: 'done', why: null },
    ])
    await Promise.all(
      [nodes.n1, nodes.n2].map((session) =>
        session.query(`INSERT INTO extra (v) SELECT 'x' FROM generate_series(1, 50)`),
      ),
    )
    await expect.poll(() => count('n1', 'extra'), { timeout: 60_000 }).toBe(100)
    await expect.poll(() => count('n2', 'extra'), { timeout: 60_000 }).toBe(100)
    expect(await nodes.n1.value(`SELECT tableowner FROM pg_tables WHERE tablename = 'extra'`)).toBe('app')
  })

  test('are undone on all where one refuses', async () => {
    await nodes.n2.query('CREATE TABLE only_here (id int PRIMARY KEY)')
    const outcome = await run('CREATE TABLE before_it (id int); CREATE TABLE only_here (id int PRIMARY KEY)')
    expect(outcome).toEqual([
      { node: 'n1', state: 'undone', why: 'n2 refuses it' },
      { node: 'n2', state: 'undone', why: expect.stringMatching(/relation "only_here" already exists/) },
    ])
    for (const node of ['n1', 'n2'] as const) {
      expect(await nodes[node].value(`SELECT to_regclass('before_it')::text`)).toBeNull()
    }
  })

  test('are ended by the server when their time is over, and on no node then', async () => {
    const sql = 'CREATE TABLE slow (id int); SELECT pg_sleep(3600)'
    const outcome = await runEverywhere(both(), sql, { owner: 'app', share: true, limitMs: 100 })
    expect(outcome).toEqual([
      { node: 'n1', state: 'undone', why: expect.stringMatching(/statement timeout/) },
      { node: 'n2', state: 'undone', why: 'n1 refuses it' },
    ])
    expect(await nodes.n1.value(`SELECT to_regclass('slow')::text`)).toBeNull()
  })

  test('are on none while a plan takes in the tables of other nodes: what it refreshes would leave theirs out', async () => {
    await nodes.n2.query(`SELECT pg_advisory_lock_shared(${tablesLock})`)
    const other = await nodes.another('n2')
    try {
      const sessions = new Map([...both(), ['n2', other]])
      const sql = 'CREATE TABLE meanwhile (id int PRIMARY KEY)'
      const outcome = await runEverywhere(sessions, sql, { owner: 'app', share: true, limitMs })
      expect(outcome).toEqual([
        { node: 'n1', state: 'undone', why: 'n2 refuses it' },
        { node: 'n2', state: 'undone', why: expect.stringMatching(/lock timeout/) },
      ])
      await nodes.n2.query(`SELECT pg_advisory_unlock_shared(${tablesLock})`)
      const again = await runEverywhere(sessions, sql, { owner: 'app', share: true, limitMs })
      expect(again.map(({ state }) => state)).toEqual(['done', 'done'])
      expect(await nodes.n2.value(`SELECT pg_try_advisory_lock(${tablesLock})`)).toBe(true)
    } finally {
      await nodes.n2.query('SELECT pg_advisory_unlock_all()')
      await other.close()
    }
  })

  test('that end the transaction themselves are refused, and where they are run as the admin role no more vouched for', async () => {
    const sql = 'CREATE TABLE early (id int); COMMIT'
    const [refused] = await run(sql)
    expect(refused).toMatchObject({ node: 'n1', state: 'undone', why: expect.stringMatching(/transaction commands/) })
    expect(await nodes.n1.value(`SELECT to_regclass('early')::text`)).toBeNull()
    const [first] = await run(sql, '')
    expect(first).toMatchObject({
      node: 'n1',
      state: 'unknown',
      why: expect.stringMatching(/SAVEPOINT can only be used in transaction/),
    })
  })

  test('on one node mend a link, and the row that stopped it arrives', async () => {
    await nodes.n1.query(`CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)`)
    await expect.poll(() => nodes.failure(), { timeout: 60_000 }).toMatchObject({ table: 'public.late' })
    await runEverywhere(new Map([['n2', nodes.own.get('n2')!]]), 'CREATE TABLE late (id int PRIMARY KEY)', {
      owner: '',
      share: true,
      limitMs,
    })
    await expect.poll(() => count('n2', 'late'), { timeout: 60_000 }).toBe(1)
  })
})
