import { lsnOf } from '../position.ts'

/** Why a server could not apply a transaction that another node sent. */
export interface Failure {
  cause: 'missing-table' | 'missing-column' | 'conflict' | 'no-key' | 'other'
  /** `schema.name`, unquoted, as the server's log has it; null where it names none. */
  table: string | null
  /** Of `missing-column`. */
  columns: string[]
  /** Of `conflict`: what of the row that came is here already, or differs: PostgreSQL's name of it. */
  conflict: string | null
  /** Of `conflict`: columns and values of the row's key, one text each, as the log has them. */
  key: { columns: string; values: string } | null
  /** Where the transaction ends in the log of the node that sent it. */
  lsn: string
  /** PostgreSQL's own words. */
  message: string
}

const origin = (text: string) => /replication origin "([^"]+)"/.exec(text)?.[1]
const level =
  /(?:^|\s)(DEBUG[1-5]?|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC|DETAIL|HINT|CONTEXT|STATEMENT|QUERY): {2}(.*)$/

/** One message of a server's log with what belongs to it, its lines put together. */
interface Entry {
  level: string
  message: string
  detail: string
  context: string
}

/**
 * Origin -> the last failure that the end of a server's log tells of it. A server writes a message and what belongs to
 * it at once, so no other message lies in between, whatever each line begins with.
 */
export function failuresIn(log: string): Map<string, Failure> {
  const found = new Map<string, Failure>()
  for (const { level, message, detail, context } of entriesOf(log)) {
    const name = origin(context)
    const lsn = /finished at ([0-9A-F]+\/[0-9A-F]+)/.exec(context)?.[1]
    if (level !== 'ERROR' || name === undefined || lsn === undefined) continue
    found.set(name, { ...causeOf(message, detail, context), lsn, message })
  }
  return found
}

function causeOf(message: string, detail: string, context: string): Omit<Failure, 'lsn' | 'message'> {
  const none = { columns: [], conflict: null, key: null }
  const table = /replication target relation "((?:[^"]|"(?! (?:in transaction|column )))+)"/.exec(context)?.[1] ?? null
  const missing = /^logical replication target relation "(.+)" does not exist$/.exec(message)
  if (missing) return { ...none, cause: 'missing-table', table: missing[1]! }
  const lacking = /^logical replication target relation "(.+)" is missing replicated columns?: (.+)$/.exec(message)
  if (lacking) {
    const columns = [...lacking[2]!.matchAll(/"((?:[^"]|"(?!,|$))*)"/g)].map(([, name]) => name!)
    return { ...none, cause: 'missing-column', table: lacking[1]!, columns }
  }
  const conflict = /^conflict detected on relation "(.+)": conflict=(\w+)$/.exec(message)
  if (conflict) {
    return { ...none, cause: 'conflict', table: conflict[1]!, conflict: conflict[2]!, key: keyOf(detail) }
  }
  // Before PostgreSQL 18.
  if (/^duplicate key value violates unique constraint /.test(message)) {
    return { ...none, cause: 'conflict', table, conflict: 'insert_exists', key: keyOf(detail) }
  }
  if (/ does not have a replica identity /.test(message) || /has neither REPLICA IDENTITY/.test(message)) {
    return { ...none, cause: 'no-key', table }
  }
  return { ...none, cause: 'other', table }
}

function keyOf(detail: string): Failure['key'] {
  const [, columns, values] =
    /(?:^|\n)Key \((.+?)\)=\((.*?)\)(?:; existing local row| already exists\.$|; remote row)/s.exec(detail) ?? []
  return columns === undefined || values === undefined ? null : { columns, values }
}

function entriesOf(log: string): Entry[] {
  const entries: Entry[] = []
  let last: keyof Entry | null = null
  for (const line of log.split('\n')) {
    const [, name, text = ''] = level.exec(line) ?? []
    const entry = entries.at(-1)
    if (name === undefined) {
      if (line.startsWith('\t') && entry && last) entry[last] += `\n${line.slice(1)}`
    } else if (name === 'DETAIL' || name === 'CONTEXT') {
      last = name === 'DETAIL' ? 'detail' : 'context'
      if (entry) entry[last] += text
    } else if (name === 'HINT' || name === 'STATEMENT' || name === 'QUERY') last = null
    else {
      entries.push({ level: name, message: text, detail: '', context: '' })
      last = 'message'
    }
  }
  return entries
}

/** In our words, without what may be done about it. */
export function failureText(failure: Failure, [from, to]: readonly [string, string]): string {
  const { cause, table, columns, conflict, key, message } = failure
  switch (cause) {
    case 'missing-table':
      return `table ${table} is missing on ${to}`
    case 'missing-column':
      return `table ${table} has no ${columns.length === 1 ? 'column' : 'columns'} ${columns.join(', ')} on ${to}`
    case 'conflict': {
      const which = key === null ? '' : `, key (${key.columns})=(${key.values})`
      return `a row of ${from} meets another one on ${to}: ${conflict} in table ${table}${which}`
    }
    case 'no-key':
      return `table ${table ?? ''} has no key on ${to}, so rows that ${from} changed cannot be found there`
    case 'other':
      return `${to} cannot apply a change${table === null ? '' : ` of table ${table}`}: ${message}`
  }
}

/** A failure that lies behind what has been applied was mended since. */
export function isOpen(failure: Failure, appliedUpTo: string): boolean {
  return lsnOf(failure.lsn) >= lsnOf(appliedUpTo)
}
