import pg from 'pg'
import { RemodelError, toError } from '../errors.ts'
import { adminRole } from './names.ts'

export interface Address {
  address: string
  port: number
}

export type Row = Record<string, string | number | boolean | null>

/** A session with one server. Commits wait for this server's disk only: Remodel's own work never waits for a replica. */
export interface Session {
  query(sql: string, values?: readonly unknown[]): Promise<Row[]>
  /** First column of the first row; null where there is none. */
  value(sql: string, values?: readonly unknown[]): Promise<string | number | boolean | null>
  close(): Promise<void>
}

/** Opens a session. Throws `infrastructure` where the server cannot be reached or does not take sessions yet. */
export async function openSession(
  at: Address,
  database: string,
  options: { name?: string; timeoutMs?: number } = {},
): Promise<Session> {
  const client = new pg.Client({
    host: at.address,
    port: at.port,
    database,
    user: adminRole,
    application_name: options.name ?? 'remodel',
    connectionTimeoutMillis: options.timeoutMs ?? 5000,
    options: '-c synchronous_commit=local -c statement_timeout=0',
    keepAlive: true,
  })
  // A server that goes away is seen by the next query.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (cause) {
    await client.end().catch(() => {})
    const { message } = toError(cause)
    throw new RemodelError('infrastructure', `no session with PostgreSQL at ${at.address}:${at.port}: ${message}`, {
      cause,
    })
  }
  const query = async (sql: string, values: readonly unknown[] = []): Promise<Row[]> => {
    try {
      return (await client.query(sql, [...values])).rows
    } catch (cause) {
      throw refused(at, sql, cause)
    }
  }
  return {
    query,
    async value(sql, values) {
      const [row] = await query(sql, values)
      return row ? (Object.values(row)[0] ?? null) : null
    },
    close: () => client.end().catch(() => {}),
  }
}

/** Everything a server refuses may go better the next time: what is wrong with a document was found before. */
function refused(at: Address, sql: string, cause: unknown): RemodelError {
  const { message } = toError(cause)
  const { code } = cause as { code?: string }
  const details = { sql, ...(code === undefined ? {} : { sqlstate: code }) }
  return new RemodelError('infrastructure', `PostgreSQL at ${at.address}:${at.port}: ${message}`, { details, cause })
}

export const quoted = (name: string) => pg.escapeIdentifier(name)
export const literal = (text: string) => pg.escapeLiteral(text)
