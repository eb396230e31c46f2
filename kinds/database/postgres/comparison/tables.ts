import { isReplicated } from '../links/tables.ts'
import { quoted, type Session } from '../server.ts'

export interface Column {
  name: string
  type: string
}

/** A table as one node has it. */
interface OwnTable {
  schema: string
  table: string
  columns: string[]
  /** By which PostgreSQL tells its rows apart; none: by all of them. */
  key: Column[]
}

/** A table as it is compared on all nodes. */
export interface Compared {
  /** `schema.name`. */
  name: string
  /** The same, for statements. */
  sql: string
  /** Nodes that have it. */
  on: string[]
  /** Columns that all of them have. */
  columns: string[]
  /** Empty where some of them has none, or another one. */
  key: Column[]
  /** Node -> columns that only others have. */
  lacking: Record<string, string[]>
}

async function tablesOn(session: Session): Promise<OwnTable[]> {
  const rows = await session.query(
    `SELECT nspname AS schema, relname AS name,
      (SELECT coalesce(json_agg(attname ORDER BY attname), '[]')::text FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') AS columns,
      (SELECT coalesce(json_agg(json_build_object('name', attname, 'type', format_type(atttypid, atttypmod)) ORDER BY place), '[]')::text
        FROM pg_index, unnest(indkey::int2[]) WITH ORDINALITY AS part (number, place), pg_attribute
        WHERE indrelid = c.oid AND attrelid = c.oid AND attnum = number AND place <= indnkeyatts AND indislive
          AND CASE relreplident WHEN 'i' THEN indisreplident ELSE indisprimary END) AS key
     FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE ${isReplicated}`,
  )
  return rows.map(({ schema, name, columns, key }) => ({
    schema: String(schema),
    table: String(name),
    columns: JSON.parse(String(columns)),
    key: JSON.parse(String(key)),
  }))
}

/** All tables whose rows go from node to node, by their names. */
export async function comparedTables(sessions: ReadonlyMap<string, Session>): Promise<Compared[]> {
  const found = await Promise.all(
    [...sessions].map(async ([node, session]) => (await tablesOn(session)).map((table) => ({ node, table }))),
  )
  const byName = Map.groupBy(found.flat(), ({ table: { schema, table } }) => `${schema}.${table}`)
  return [...byName]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, all]): Compared => {
      const [first] = all
      const { schema, table, key } = first!.table
      const every = [...new Set(all.flatMap((one) => one.table.columns))]
      const missing = all.map(({ node, table: { columns } }) => ({
        node,
        columns: every.filter((column) => !columns.includes(column)),
      }))
      const lacking = missing.filter(({ columns }) => columns.length > 0)
      const oneKey = all.every((other) => JSON.stringify(other.table.key) === JSON.stringify(key))
      return {
        name,
        sql: `${quoted(schema)}.${quoted(table)}`,
        on: all.map(({ node }) => node),
        columns: every.filter((column) => !lacking.some(({ columns }) => columns.includes(column))),
        key: oneKey ? key : [],
        lacking: Object.fromEntries(lacking.map(({ node, columns }) => [node, columns])),
      }
    })
}
