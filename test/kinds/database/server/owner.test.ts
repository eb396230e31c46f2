import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readAsOwner, runAs } from '../../../../kinds/database/postgres/as-role.ts'
import { compareNodes } from '../../../../kinds/database/postgres/comparison/compare.ts'
import { openFenced } from '../../../../kinds/database/postgres/fenced.ts'
import { runEverywhere } from '../../../../kinds/database/postgres/links/everywhere.ts'
import { fenceSequence } from '../../../../kinds/database/postgres/names.ts'
import { shareSequences, unsharedOf } from '../../../../kinds/database/postgres/sequences.ts'
import { openSession, type Session } from '../../../../kinds/database/postgres/server.ts'
import { openAsClient, startPostgres, type TestServer } from '../postgres.ts'

/**
 * The owner of a database tries to have code of his run as the superuser that Remodel is. It would run a program on
 * the server's machine, which no rollback takes back: a role that is no superuser cannot.
 */
let server: TestServer
let folder: string
let taken: string
let owner: pg.Client

beforeAll(async () => {
  server = await startPostgres()
  folder = mkdtempSync(join(tmpdir(), 'remodel-owner-'))
  chmodSync(folder, 0o777)
  taken = join(folder, 'taken')
  const session = await openSession(server.host, server.at, 'postgres')
  await session.query('CREATE ROLE app LOGIN')
  await session.close()
}, 60_000)
afterAll(async () => {
  await owner?.end()
  server.stop()
  rmSync(folder, { recursive: true })
})

const spring = (file: string) => `
  CREATE FUNCTION public.spring() RETURNS int LANGUAGE plpgsql AS $f$
  BEGIN
    BEGIN RESET ROLE; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN SET SESSION AUTHORIZATION DEFAULT; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN EXECUTE $s$COPY (SELECT 1) TO PROGRAM 'cat > ${file}'$s$; EXCEPTION WHEN insufficient_privilege THEN NULL; END;
    RETURN 1;
  END $f$;
  CREATE FUNCTION public.trap() RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN public.spring(); END';
  CREATE FUNCTION public.trip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM public.trap(); RETURN NEW; END';
  CREATE TABLE public.item (id int PRIMARY KEY, note text)`

/** The database anew, with the trap; Remodel has been in it before unless `untouched`. */
async function begin({ untouched = false } = {}): Promise<void> {
  await owner?.end()
  rmSync(taken, { force: true })
  const session = await openSession(server.host, server.at, 'postgres')
  await session.query('DROP DATABASE IF EXISTS shop WITH (FORCE)')
  await session.query('CREATE DATABASE shop')
  await session.query('ALTER DATABASE shop OWNER TO app')
  await session.close()
  if (!untouched) await (await fenced()).close()
  owner = new pg.Client({ host: '127.0.0.1', port: server.at.port, user: 'app', database: 'shop' })
  owner.on('error', () => {})
  await owner.connect()
  await owner.query(spring(taken))
}

const fence = { scope: 'material/one', number: 1 }
const fenced = () => openFenced(server.host, server.at, 'shop', { fence })
const isTaken = () => existsSync(taken)

async function inOwn<T>(work: (session: Session) => Promise<T>): Promise<T> {
  const session = await openSession(server.host, server.at, 'shop')
  try {
    return await work(session)
  } finally {
    await session.close()
  }
}
const everywhere = (sql: string) =>
  inOwn((n1) => runEverywhere(new Map([['n1', n1]]), sql, { owner: 'app', share: true, limitMs: 30_000 }))

/** As statements of a superuser are run by one who does not think of this. */
async function naively(...statements: string[]): Promise<void> {
  const session = await openAsClient(server.host, server.at, 'shop')
  try {
    for (const statement of statements) await session.query(statement)
  } finally {
    await session.close()
  }
}

interface Way {
  way: string
  /** What the owner lays out. */
  lay: string[]
  /** What Remodel does then. */
  remodel: () => Promise<unknown>
  /**
   * Statements of a superuser by which the same would have him fall into the trap; without it, one for whom the trap
   * does nothing is no proof.
   */
  control: string[]
}

const asOwner = (sql: string) => ['BEGIN', 'SET LOCAL ROLE app', sql, 'RESET ROLE', 'COMMIT']
const ways: Way[] = [
  {
    way: 'a trigger of a table that statements change',
    lay: ['CREATE TRIGGER t BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION trip()'],
    remodel: () => everywhere('INSERT INTO item VALUES (1)'),
    control: asOwner('INSERT INTO item VALUES (1)'),
  },
  {
    way: 'a trigger that waits for the commit',
    lay: [
      'CREATE CONSTRAINT TRIGGER t AFTER INSERT ON item DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION trip()',
    ],
    remodel: () => everywhere('INSERT INTO item VALUES (1)'),
    // PostgreSQL 18 runs it as who caused it.
    control: ['INSERT INTO item VALUES (1)'],
  },
  {
    way: 'a default of a column that is added',
    lay: ['INSERT INTO item VALUES (0)'],
    remodel: () => everywhere('ALTER TABLE item ADD COLUMN more int DEFAULT spring()'),
    control: asOwner('ALTER TABLE item ADD COLUMN more int DEFAULT spring()'),
  },
  {
    way: 'a cursor that is read to its end by the commit',
    lay: [
      `CREATE OR REPLACE FUNCTION trip() RETURNS trigger LANGUAGE plpgsql AS
         $f$ BEGIN EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT spring()'; RETURN NEW; END $f$`,
      'CREATE TRIGGER t BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION trip()',
    ],
    remodel: () => everywhere('INSERT INTO item VALUES (1)'),
    control: asOwner('INSERT INTO item VALUES (1)'),
  },
  {
    way: 'a table of the session that takes the name of one of PostgreSQL',
    lay: [
      `CREATE OR REPLACE FUNCTION trip() RETURNS trigger LANGUAGE plpgsql AS
         $f$ BEGIN EXECUTE $s$CREATE TEMP VIEW pg_subscription AS SELECT public.spring()::oid AS oid, 'remodel_n1_n2'::name AS subname,
              (SELECT oid FROM pg_database WHERE datname = current_database()) AS subdbid$s$; RETURN NEW; END $f$`,
      'CREATE TRIGGER t BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION trip()',
      `ALTER DATABASE shop SET search_path = pg_temp, pg_catalog, public`,
    ],
    remodel: () => everywhere('INSERT INTO item VALUES (1)'),
    control: [
      'SET search_path = pg_temp, pg_catalog, public',
      'CREATE TEMP VIEW pg_subscription AS SELECT public.spring() AS oid',
      'SELECT count(oid) FROM pg_subscription',
    ],
  },
  {
    way: 'the function by which its statements are run, made anew by a trigger',
    lay: [
      `CREATE OR REPLACE FUNCTION trip() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
         EXECUTE $s$CREATE OR REPLACE FUNCTION pg_temp.remodel_run(statement text) RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM public.spring(); END'$s$;
         RETURN NEW; END $f$`,
      'CREATE TRIGGER t BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION trip()',
    ],
    remodel: () =>
      inOwn(async (session) => {
        await session.query('BEGIN')
        await runAs(session, 'app', ['INSERT INTO item VALUES (1)', 'INSERT INTO item VALUES (2)'])
        await session.query('COMMIT')
      }),
    control: ['SELECT public.spring()'],
  },
  {
    way: 'schemas of its own ahead of those of PostgreSQL',
    lay: [
      'CREATE SCHEMA evil',
      `CREATE FUNCTION evil.pg_try_advisory_lock(int, int) RETURNS bool LANGUAGE sql AS 'SELECT public.spring() = 1'`,
      'ALTER DATABASE shop SET search_path = evil, pg_catalog',
    ],
    remodel: async () => (await fenced()).close(),
    control: ['SET search_path = evil, pg_catalog', 'SELECT pg_try_advisory_lock(1, 2)'],
  },
  {
    way: 'what an index is made of, when a query is planned',
    lay: ['CREATE INDEX ON item ((trap()))', `INSERT INTO item VALUES (1, 'x')`],
    remodel: () => inOwn((n1) => compareNodes(new Map([['n1', n1]]))),
    control: ['SELECT count(*) FROM item'],
  },
  {
    way: 'a cast of the type of a key',
    lay: [
      `CREATE TYPE colour AS ENUM ('red')`,
      'CREATE TABLE paint (c colour PRIMARY KEY)',
      `INSERT INTO paint VALUES ('red')`,
      `CREATE FUNCTION shown(colour) RETURNS text LANGUAGE sql AS $f$ SELECT CASE WHEN public.spring() = 1 THEN 'red' END $f$`,
      'CREATE CAST (colour AS text) WITH FUNCTION shown(colour)',
    ],
    remodel: () => inOwn((n1) => compareNodes(new Map([['n1', n1]]), { batch: 1, named: 5, looks: 1, arrivalMs: 100 })),
    control: ['SELECT c::text FROM paint'],
  },
  {
    way: 'a table that a sequence belongs to',
    lay: ['CREATE TABLE order_line (id serial PRIMARY KEY)', 'CREATE INDEX ON order_line ((trap()))'],
    remodel: () => inOwn((session) => shareSequences(session, 'n2')),
    control: ['SELECT max(id) FROM order_line'],
  },
  {
    way: 'a view in the place of a sequence',
    lay: ['CREATE VIEW number AS SELECT spring()::bigint AS last_value, true AS is_called'],
    remodel: () => inOwn((session) => session.value('SELECT last_value FROM public.number')).catch(() => {}),
    control: ['SELECT last_value FROM public.number'],
  },
  {
    way: 'a view in the place of a table that is read',
    lay: ['DROP TABLE item', 'CREATE VIEW item AS SELECT spring() AS id'],
    remodel: () =>
      inOwn(async (session) => {
        await session.query('BEGIN')
        await readAsOwner(session, 'public.item', 'SELECT id::text FROM public.item')
      }).catch(() => {}),
    control: ['SELECT id FROM item'],
  },
]

describe('the owner of a database does not become superuser by', { timeout: 60_000 }, () => {
  beforeEach(() => begin())

  test.for(ways)('$way', async ({ lay, remodel }) => {
    for (const statement of lay) await owner.query(statement)
    await remodel()
    expect(isTaken()).toBe(false)
  })

  test.for(ways)('$way: the control, without the mechanism he does', async ({ lay, control }) => {
    for (const statement of lay) await owner.query(statement)
    await naively(...control)
    expect(isTaken()).toBe(true)
  })

  test('a view in the place of a fence, in a schema that he made first: it is refused and named', async () => {
    await begin({ untouched: true })
    await owner.query('CREATE SCHEMA remodel')
    await owner.query(`CREATE VIEW remodel.${fenceSequence(fence.scope)} AS SELECT spring()::bigint AS last_value`)
    await expect(fenced()).rejects.toMatchObject({
      code: 'job-failed',
      message: expect.stringMatching(/schema remodel belongs to app/),
    })
    expect(isTaken()).toBe(false)
    await naively(`SELECT last_value FROM remodel.${fenceSequence(fence.scope)}`)
    expect(isTaken(), 'the control').toBe(true)
  })
})

describe('a session of Remodel', { timeout: 60_000 }, () => {
  test('has what PostgreSQL has of every setting that the owner has made for his database', async () => {
    await begin()
    const made: Record<string, [string, string]> = {
      search_path: ['public', 'pg_catalog,pg_temp'],
      default_transaction_read_only: ['on', 'off'],
      default_transaction_isolation: ['serializable', 'read committed'],
      statement_timeout: ['1', '0'],
      transaction_timeout: ['1', '0'],
      lock_timeout: ['1', '0'],
      idle_session_timeout: ['1', '0'],
      idle_in_transaction_session_timeout: ['1', '0'],
      row_security: ['off', 'on'],
      DateStyle: ['German', 'ISO, MDY'],
      standard_conforming_strings: ['off', 'on'],
      transform_null_equals: ['on', 'off'],
      quote_all_identifiers: ['on', 'off'],
      bytea_output: ['escape', 'hex'],
      work_mem: ['64', '4MB'],
      default_table_access_method: ['heap', 'heap'],
      client_min_messages: ['error', 'notice'],
    }
    for (const [name, [value]] of Object.entries(made))
      await owner.query(`ALTER DATABASE shop SET ${name} = ${name === 'search_path' ? value : `'${value}'`}`)
    await inOwn(async (session) => {
      for (const [name, [, value]] of Object.entries(made))
        expect([name, await session.value(`SHOW ${name}`)]).toEqual([name, value])
    })
    expect((await owner.query(`SELECT count(*)::int AS n FROM pg_db_role_setting, unnest(setconfig)`)).rows[0].n).toBe(
      Object.keys(made).length,
    )
  })

  test.for(['role', 'session_authorization'])(
    'is the admin role where the owner has set %s for his database',
    async (name) => {
      await begin()
      await owner.query(`ALTER DATABASE shop SET ${name} = 'app'`)
      await inOwn(async (session) => {
        expect(await session.query('SELECT current_user::text AS now, session_user::text AS session')).toEqual([
          { now: 'remodel', session: 'remodel' },
        ])
      })
      await (await fenced()).close()
    },
  )

  test("runs the owner's statements with the path that the owner has, and goes on with its own", async () => {
    await begin()
    await owner.query('CREATE SCHEMA own')
    await owner.query('ALTER DATABASE shop SET search_path = own, public')
    const [outcome] = await everywhere(
      'CREATE TABLE here (id serial PRIMARY KEY); INSERT INTO here DEFAULT VALUES; SELECT * FROM here',
    )
    expect(outcome).toMatchObject({ state: 'done' })
    expect((await owner.query(`SELECT tableowner, schemaname FROM pg_tables WHERE tablename = 'here'`)).rows).toEqual([
      { tableowner: 'app', schemaname: 'own' },
    ])
    await inOwn(async (session) => expect(await unsharedOf(session, 'n1')).toEqual([]))
    await inOwn(async (session) => {
      await session.query('BEGIN')
      await runAs(session, 'app', [
        'SET LOCAL search_path = public',
        'CREATE TABLE there (id int)',
        'CREATE VIEW seen AS SELECT 1 AS one',
        'SELECT * FROM seen',
      ])
      expect(await session.value('SHOW search_path')).toBe('pg_catalog,pg_temp')
      await session.query('COMMIT')
    })
    expect((await owner.query(`SELECT schemaname FROM pg_tables WHERE tablename = 'there'`)).rows).toEqual([
      { schemaname: 'public' },
    ])
  })

  test('reads all rows of a table whose policies hold for its owner too, and leaves the owner as he is', async () => {
    await begin()
    for (const statement of [
      `INSERT INTO item VALUES (1, 'a'), (2, 'b')`,
      'ALTER TABLE item ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
      'CREATE POLICY one_only ON item USING (id = 1)',
    ])
      await owner.query(statement)
    expect((await owner.query('SELECT count(*)::int AS n FROM item')).rows[0].n).toBe(1)
    const { tables } = await inOwn((n1) => compareNodes(new Map([['n1', n1]])))
    expect(tables.map(({ name, rows }) => [name, rows])).toEqual([['public.item', { n1: 2 }]])
    await inOwn(async (session) => {
      expect(await session.value(`SELECT rolbypassrls FROM pg_roles WHERE rolname = 'app'`)).toBe(false)
    })
  })
})
