import { readAsOwner } from './as-role.ts'
import { isReplicated } from './links/tables.ts'
import { quoted, type Session } from './server.ts'

/** What a database would drop that goes back to a moment. */
export interface WrittenSince {
  /**
   * Rows that are there and were inserted or changed since; null: they could not be counted in the time that there
   * is.
   */
  rows: number | null
  /** Transactions of the server that committed since, `more`: at least so many. */
  transactions: number
  more: boolean
}

/** Windows of the newest transactions, each looked at where the one before does not reach back to the moment. */
const windows = [1000, 30_000, 1_000_000]
/** Transactions that may begin while this looks. */
const slack = 1_000_000

/**
 * By the times of commits, which every server keeps. In `limitMs`, as a plan is being waited for. Nothing of what was
 * deleted since is counted: that comes back.
 */
export async function writtenSince(session: Session, moment: Date, limitMs: number): Promise<WrittenSince> {
  const until = performance.now() + limitMs
  const since = moment.toISOString()
  let found = { transactions: 0, more: true, window: 0 }
  for (const window of windows) {
    const [row] = await session.query(
      `SELECT count(*) FILTER (WHERE at > $1)::int AS transactions, coalesce(min(at) > $1 AND min(number) > 3, false) AS more
       FROM (SELECT number, pg_xact_commit_timestamp((number % 4294967296)::text::xid) AS at
         FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) last,
           generate_series(greatest(3, next - $2), next - 1) number) AS newest`,
      [since, window],
    )
    found = { transactions: Number(row!.transactions), more: row!.more === true, window }
    if (!found.more || performance.now() >= until) break
  }
  const { transactions, more, window } = found
  const rows =
    transactions === 0 && !more ? 0 : await rowsSince(session, { since, window, more }, until).catch(() => null)
  return { rows, transactions, more }
}

async function rowsSince(
  session: Session,
  { since, window, more }: { since: string; window: number; more: boolean },
  until: number,
): Promise<number> {
  const tables = await session.query(
    `SELECT nspname AS schema, relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE ${isReplicated}`,
  )
  // What is older than the window need not be asked for its time.
  const recent = more ? '' : `age(xmin) <= ${window + slack} AND `
  let rows = 0
  for (const { schema, name } of tables) {
    const left = Math.round(until - performance.now())
    if (left <= 0) throw new Error('there is no time left')
    const table = `${quoted(String(schema))}.${quoted(String(name))}`
    await session.query(`BEGIN; SET LOCAL statement_timeout = ${left}`)
    try {
      const sql = `SELECT count(*)::text AS rows FROM ${table} WHERE ${recent}pg_xact_commit_timestamp(xmin) > $1[1]::timestamptz`
      const [found] = await readAsOwner(session, table, sql, [since])
      rows += Number(found!.rows)
    } finally {
      await session.query('ROLLBACK')
    }
  }
  return rows
}
