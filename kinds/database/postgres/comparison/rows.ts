import { readAsOwner } from '../as-role.ts'
import { quoted, type Row, type Session } from '../server.ts'
import type { Compared } from './tables.ts'

/** Values of a key, as PostgreSQL writes them. */
export type Key = readonly string[]

/** From behind one key up to another one, null: without an end; or one key. */
export type Range = { after: Key | null; upTo: Key | null } | { only: Key }

export interface Sum {
  rows: number
  digest: string
}

/** The same text for the same values, whatever a server's settings are. */
const plainly = [
  `SET DateStyle = 'ISO, YMD'`,
  `SET IntervalStyle = 'postgres'`,
  `SET TimeZone = 'UTC'`,
  'SET extra_float_digits = 1',
  `SET bytea_output = 'hex'`,
  `SET lc_monetary = 'C'`,
].join('; ')

export async function readPlainly(session: Session): Promise<void> {
  await session.query(plainly)
}

const digestOf = ({ columns }: Compared) =>
  `hashtextextended(ROW(${columns.map((column) => `t.${quoted(column)}`).join(', ')})::text, 0)`
const keyOf = ({ key }: Compared) => key.map(({ name }) => `t.${quoted(name)}`).join(', ')
const keyText = ({ key }: Compared) =>
  `json_build_array(${key.map(({ name }) => `t.${quoted(name)}::text`).join(', ')})`

function within(table: Compared, range: Range): { where: string; values: string[] } {
  const values: string[] = []
  const given = (key: Key) =>
    key.map((value, at) => `$1[${values.push(value)}]::text::${table.key[at]!.type}`).join(', ')
  const bound = (how: string, key: Key | null) => (key === null ? [] : [`(${keyOf(table)}) ${how} (${given(key)})`])
  const bounds = 'only' in range ? bound('=', range.only) : [...bound('>', range.after), ...bound('<=', range.upTo)]
  return { where: bounds.length === 0 ? '' : `WHERE ${bounds.join(' AND ')}`, values }
}

/** Nothing of the table's is computed as the superuser that the session is. */
async function ask(
  session: Session,
  { sql: table }: Compared,
  sql: string,
  values: readonly string[] = [],
): Promise<Row[]> {
  await session.query('BEGIN')
  try {
    return await readAsOwner(session, table, sql, values)
  } finally {
    await session.query('ROLLBACK').catch(() => {})
  }
}

/** The key that lies `rows` rows behind another one; null where there are fewer. */
export async function keyBehind(
  session: Session,
  table: Compared,
  after: Key | null,
  rows: number,
): Promise<Key | null> {
  const { where, values } = within(table, { after, upTo: null })
  const sql = `SELECT ${keyText(table)}::text AS key FROM ${table.sql} t ${where} ORDER BY ${keyOf(table)} OFFSET ${rows - 1} LIMIT 1`
  const [found] = await ask(session, table, sql, values)
  return found === undefined ? null : JSON.parse(String(found.key))
}

export async function sumOf(session: Session, table: Compared, range: Range): Promise<Sum> {
  const { where, values } = within(table, range)
  const [row] = await ask(
    session,
    table,
    `SELECT count(*)::text AS rows, coalesce(sum(${digestOf(table)}::numeric), 0)::text AS digest FROM ${table.sql} t ${where}`,
    values,
  )
  return { rows: Number(row!.rows), digest: String(row!.digest) }
}

/** Key, as JSON, -> digest of its row, of a limited number of rows. */
export async function rowsIn(
  session: Session,
  table: Compared,
  range: Range,
  limit: number,
): Promise<Map<string, string>> {
  const { where, values } = within(table, range)
  const rows = await ask(
    session,
    table,
    `SELECT ${keyText(table)}::text AS key, ${digestOf(table)}::text AS digest FROM ${table.sql} t ${where} ORDER BY ${keyOf(table)} LIMIT ${limit}`,
    values,
  )
  return new Map(rows.map(({ key, digest }) => [String(key), String(digest)]))
}

/** Of rows that no key tells apart: a part of them by their digest -> what it has. */
export async function sumsOf(session: Session, table: Compared, parts: number): Promise<Map<string, Sum>> {
  const rows = await ask(
    session,
    table,
    `SELECT (digest & ${parts - 1})::text AS part, count(*)::text AS rows, sum(digest::numeric)::text AS digest
     FROM (SELECT ${digestOf(table)} AS digest FROM ${table.sql} t) AS rows GROUP BY 1`,
  )
  return new Map(rows.map(({ part, rows, digest }) => [String(part), { rows: Number(rows), digest: String(digest) }]))
}
