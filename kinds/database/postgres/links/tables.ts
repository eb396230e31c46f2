import type { Session } from '../server.ts'

/** A table whose rows go to other nodes. */
export interface Table {
  /** `schema.name`. */
  name: string
  columns: string[]
  /** Rows that are changed or deleted are identified by a key. */
  keyed: boolean
}

/** Condition on `pg_class c` and `pg_namespace n`. */
export const isReplicated = `relkind IN ('r', 'p') AND relpersistence = 'p' AND NOT relispartition
  AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'remodel')`

/**
 * Tables in the schema of Remodel, beside its own: a client whose path led there made them, and no other node gets
 * their rows.
 */
export async function misplacedIn(session: Session): Promise<string[]> {
  const rows = await session.query(
    `SELECT nspname || '.' || relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE nspname = 'remodel' AND relkind IN ('r', 'p') AND relname NOT IN ('archive', 'fork') ORDER BY 1`,
  )
  return rows.map(({ name }) => String(name))
}

export async function tablesOf(session: Session): Promise<Table[]> {
  const rows = await session.query(
    `SELECT nspname || '.' || relname AS name, relreplident = 'f' OR EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indislive
        AND CASE relreplident WHEN 'd' THEN indisprimary WHEN 'i' THEN indisreplident ELSE false END) AS keyed,
      (SELECT coalesce(json_agg(attname ORDER BY attnum), '[]')::text FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') AS columns
     FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE ${isReplicated} ORDER BY 1`,
  )
  return rows.map(({ name, keyed, columns }) => ({
    name: String(name),
    columns: JSON.parse(String(columns)) as string[],
    keyed: keyed === true,
  }))
}

/** What a node lacks of what others have, each as a phrase: the first row of it that comes stops the link. */
export function lackingOn(node: string, tables: ReadonlyMap<string, readonly Table[]>): string[] {
  const own = new Map((tables.get(node) ?? []).map((table) => [table.name, new Set(table.columns)]))
  const found = new Map<string, string>()
  for (const [other, list] of tables) {
    for (const { name, columns } of other === node ? [] : list) {
      const here = own.get(name)
      if (!here) found.set(name, `table ${name}, which ${other} has`)
      const lacking = here ? columns.filter((column) => !here.has(column)) : []
      for (const column of lacking)
        found.set(`${name}.${column}`, `column ${column} of table ${name}, which ${other} has`)
    }
  }
  return [...found.values()]
}
