/**
 * Settings of which a replica must not have less than its primary had when it wrote the log that the replica replays.
 */
export const replicaFloors = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
] as const

/** In a file of settings these escapes stand for what no line can hold. */
const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "''",
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

/** The lines of a file of settings, from which the server reads each value exactly as it is here. */
export function settingLines(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} = '${value.replace(/[\\'\b\f\n\r\t]/g, (found) => escapes[found] ?? found)}'\n`)
    .join('')
}

/** `name`: what was set with ALTER SYSTEM of what a remodel's files set, and of the settings `$1` (in lower case). */
export const byHandSql = `SELECT DISTINCT name FROM pg_file_settings hand WHERE sourcefile LIKE '%/postgresql.auto.conf'
  AND (lower(name) = ANY($1) OR EXISTS (SELECT FROM pg_file_settings own
    WHERE lower(own.name) = lower(hand.name) AND own.sourcefile ~ '/(remodel|node)[.]conf$'))`

/** `name`: what a server does not have as its files say, or has from elsewhere (`byHandSql`). */
export const notInEffectSql = `SELECT name FROM pg_settings WHERE pending_restart
  UNION SELECT coalesce(name, 'a line of its files') FROM pg_file_settings WHERE error IS NOT NULL
  UNION ${byHandSql}`

/** What a server says against its settings, in its own words; `setting` where it names one. */
export interface Complaint {
  setting?: string
  message: string
}

/**
 * Of the log of a server that was asked about its settings, or did not start: what it has against them,
 * without times and places.
 */
export function complaintsIn(log: string): Complaint[] {
  const found: Complaint[] = []
  for (const line of log.split('\n')) {
    const [, level, text = ''] = /(?:^|\s)(LOG|FATAL|PANIC|ERROR|HINT|DETAIL):\s+(.*)$/.exec(line) ?? []
    const last = found.at(-1)
    if (level === 'HINT' || level === 'DETAIL') {
      if (last && !/^(Is another postmaster|Future log output)/.test(text))
        last.message += `. ${text.replace(/\.$/, '')}`
      continue
    }
    const own = level === undefined ? (/^postgres: (.*)$/.exec(line)?.[1] ?? '') : text
    if (own === '' || isNoise.test(own)) continue
    if (level === 'LOG' && !isAgainstSetting.test(own)) continue
    const setting = /parameter "([^"]+)"/.exec(own)?.[1]
    found.push({ ...(setting === undefined ? {} : { setting }), message: own.replace(/ in file ".*" line \d+$/, '') })
  }
  return found
}

/** That a file has errors says nothing of which; a session that came too early says nothing of the server. */
const isNoise =
  /^(configuration file ".*" contains errors|the database system is |terminating |skipping missing |(role|database) ".*" does not exist|password authentication|no pg_hba\.conf|remaining connection slots|sorry, too many)/
const isAgainstSetting =
  /^(unrecognized configuration parameter|invalid value for parameter|parameter "|invalid configuration parameter|.* outside the valid range for parameter|could not (bind|create|load|access|open|map|find))/
