import { RemodelError } from '../../../shared/runtime/errors.ts'
import { settleSql } from './own-settings.ts'
import { literal, quoted, type Row, type Session } from './server.ts'

/**
 * Statements that may come upon code of another role are run as that role: triggers, defaults and checks of its
 * tables, its casts and operators, and what its indexes are made of, which PostgreSQL computes when it plans a query.
 * `SET ROLE` is not enough for that, as such code takes the superuser back with `RESET ROLE`. A function that belongs
 * to the role and is `SECURITY DEFINER` is: within it PostgreSQL refuses both `ROLE` and `SESSION AUTHORIZATION`.
 *
 * What such code leaves in the session is never trusted: the function is made anew for each call, with names that no
 * path changes.
 */
const runner = 'pg_temp.remodel_run(pg_catalog.text)'
const reader = 'pg_temp.remodel_read(pg_catalog.text, pg_catalog.text, pg_catalog._text)'

/**
 * In the session's transaction, with the role's own path of schemas. A statement that fails throws what `failed`
 * makes of it. Behind them nothing of the role's is waiting to be run with the commit.
 */
export async function runAs(
  session: Session,
  role: string,
  statements: readonly string[],
  failed: (error: unknown, at: number) => unknown = (error) => error,
): Promise<void> {
  const path = await pathOf(session, role)
  await session.query(`SET LOCAL restrict_nonsystem_relation_kind = ''; SET LOCAL event_triggers = on`)
  await session.query(`SELECT set_config('search_path', $1, true)`, [path])
  for (const [at, statement] of statements.entries()) {
    await run(session, role, statement).catch((error) => {
      throw failed(error, at)
    })
  }
  await run(session, role, 'SET CONSTRAINTS ALL IMMEDIATE')
  // A cursor that outlives the transaction is read to its end by the commit.
  await session.query(`CLOSE ALL; ${settleSql}`)
}

async function run(session: Session, role: string, statement: string): Promise<void> {
  await session.query(
    `CREATE OR REPLACE FUNCTION ${runner.replace('(', '(statement ')} RETURNS pg_catalog.void LANGUAGE plpgsql SECURITY DEFINER
       AS 'BEGIN EXECUTE statement; END'; ALTER FUNCTION ${runner} OWNER TO ${quoted(role)}`,
  )
  await session.query('SELECT pg_temp.remodel_run($1::pg_catalog.text)', [statement])
}

/**
 * What a query says of a table, as the role whose table it is; all its columns are text, `$1[n]` is the n-th of
 * `values`. Within a transaction, of which it leaves nothing but what was read. The table is locked before it is
 * asked whose it is, so no other one takes its place.
 */
export async function readAsOwner(
  session: Session,
  table: string,
  sql: string,
  values: readonly string[] = [],
): Promise<Row[]> {
  await session.query('SAVEPOINT reading')
  try {
    await session.query(`LOCK TABLE ${table} IN ACCESS SHARE MODE`)
    const [found] = await session.query(
      `SELECT rolname AS owner, relforcerowsecurity AND NOT rolsuper AND NOT rolbypassrls AS filtered
       FROM pg_class c JOIN pg_roles r ON r.oid = relowner WHERE c.oid = to_regclass($1) AND relkind IN ('r', 'p')`,
      [table],
    )
    if (!found) throw new RemodelError('infrastructure', `${table} is no table any more`)
    const owner = String(found.owner)
    const path = await pathOf(session, owner)
    // Policies would keep rows from it; with the transaction this is taken back.
    if (found.filtered === true) await session.query(`ALTER ROLE ${quoted(owner)} BYPASSRLS`)
    await session.query(
      `CREATE OR REPLACE FUNCTION pg_temp.remodel_read(path pg_catalog.text, query pg_catalog.text, given pg_catalog._text)
         RETURNS SETOF pg_catalog.json LANGUAGE plpgsql SECURITY DEFINER AS ${literal(reading)};
       ALTER FUNCTION ${reader} OWNER TO ${quoted(owner)}`,
    )
    const rows = await session.query(
      'SELECT pg_temp.remodel_read($1::pg_catalog.text, $2::pg_catalog.text, $3::pg_catalog._text)::text AS found',
      [path, sql, values],
    )
    return rows.map(({ found }) => JSON.parse(String(found)) as Row)
  } finally {
    await session.query('ROLLBACK TO SAVEPOINT reading; RELEASE SAVEPOINT reading').catch(() => {})
  }
}

const reading = `BEGIN
  PERFORM pg_catalog.set_config('search_path', 'pg_catalog, ' || path, true);
  RETURN QUERY EXECUTE 'SELECT pg_catalog.row_to_json(r) FROM (' || query || ') r' USING given;
END`

/** In which schemas a session of the role looks for names. */
async function pathOf(session: Session, role: string): Promise<string> {
  const path = await session.value(
    `SELECT coalesce(
       (SELECT substr(setting, length('search_path=') + 1) FROM pg_db_role_setting, unnest(setconfig) setting
        WHERE starts_with(setting, 'search_path=') AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = $1))
          AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        ORDER BY setrole <> 0 DESC, setdatabase <> 0 DESC LIMIT 1),
       (SELECT setting FROM pg_file_settings WHERE name = 'search_path' AND applied ORDER BY seqno DESC LIMIT 1),
       (SELECT boot_val FROM pg_settings WHERE name = 'search_path'))`,
    [role],
  )
  return String(path)
}
