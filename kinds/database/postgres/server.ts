import type { Duplex } from 'node:stream'
import pg from 'pg'
import { RemodelError, toError } from '../../../shared/runtime/errors.ts'
import { reasonOf } from '../../../shared/runtime/system-error.ts'
import { adminRole } from './names.ts'
import { settleSql, startOptions } from './own-settings.ts'
import { type Address, dialServer, type Machines } from './way-in.ts'

export type { Address, Machines } from './way-in.ts'

export type Row = Record<string, string | number | boolean | null>

/**
 * A session with one server. Commits wait for this server's disk only: Remodel's own work never waits for a replica. It
 * writes where clients may only read, and no setting of a database or its owner is in effect (`own-settings.ts`).
 */
export interface Session {
  query(sql: string, values?: readonly unknown[]): Promise<Row[]>
  /** First column of the first row; null where there is none. */
  value(sql: string, values?: readonly unknown[]): Promise<string | number | boolean | null>
  /** Within a second, whatever the server does. */
  close(): Promise<void>
}

export interface SessionOptions {
  /** What `pg_stat_activity` calls it. */
  name?: string
  /**
   * Limit of opening it, 5 s unless given. One that is given is the limit of each query too: a look does not wait long.
   */
  timeoutMs?: number
  /** Limit of each query where that is another one. A session whose query took longer is over. */
  limitMs?: number
  /** Ends the session, in the middle of a query too. */
  signal?: AbortSignal
}

const openMs = 5000
const closeMs = 1000

/**
 * Opens a session as the admin role, through the server's machine. Throws `infrastructure` where the server cannot be
 * reached or does not take sessions yet. No error holds a statement: statements may hold what is secret.
 */
export async function openSession(
  machines: Machines,
  at: Address,
  database: string,
  options: SessionOptions = {},
): Promise<Session> {
  const { timeoutMs = openMs, limitMs = options.timeoutMs, signal } = options
  const opening = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])])
  const failed = (cause: unknown) => {
    if (signal?.aborted) return toError(signal.reason)
    const message = `no session with PostgreSQL at ${at.address}:${at.port}: ${reasonOf(cause)}`
    return new RemodelError('infrastructure', message, { cause })
  }
  const way = await dialServer(machines, at, opening).catch((cause) => {
    throw failed(cause)
  })
  const client = new pg.Client({
    stream: () => asSocket(way.stream),
    database,
    user: adminRole,
    application_name: options.name ?? 'remodel',
    options: startOptions,
  })
  // A server that goes away is seen by the next query.
  client.on('error', () => {})
  const cut = (reason: unknown) => {
    way.stream.destroy(toError(reason))
    way.close()
  }
  const abort = () => cut(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  const close = async () => {
    const timer = setTimeout(() => way.stream.destroy(), closeMs)
    await Promise.race([client.end().catch(() => {}), closed(way.stream)])
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
    way.close()
  }
  const late = () => cut(new RemodelError('infrastructure', 'it does not answer in time'))
  opening.addEventListener('abort', late, { once: true })
  try {
    await client.connect()
    await client.query(settleSql)
  } catch (cause) {
    await close()
    throw failed(cause)
  } finally {
    opening.removeEventListener('abort', late)
  }
  const query = async (sql: string, values: readonly unknown[] = []): Promise<Row[]> => {
    const timer = limitMs === undefined ? undefined : setTimeout(late, limitMs)
    try {
      return (await client.query(sql, [...values])).rows
    } catch (cause) {
      throw signal?.aborted ? toError(signal.reason) : refused(at, cause)
    } finally {
      clearTimeout(timer)
    }
  }
  return {
    query,
    async value(sql, values) {
      const [row] = await query(sql, values)
      return row ? (Object.values(row)[0] ?? null) : null
    },
    close,
  }
}

/** What the driver calls on a socket and a stream does not have: this one is connected already. */
function asSocket(stream: Duplex): Duplex {
  const self = () => stream
  return Object.assign(stream, {
    connect: () => void setImmediate(() => stream.emit('connect')),
    setNoDelay: self,
    setKeepAlive: self,
    ref: self,
    unref: self,
  })
}

function closed(stream: Duplex): Promise<void> {
  if (stream.closed) return Promise.resolve()
  return new Promise((resolve) => void stream.once('close', resolve))
}

/** Everything a server refuses may go better the next time: what is wrong with a document was found before. */
function refused(at: Address, cause: unknown): RemodelError {
  const { message } = toError(cause)
  const { code } = cause as { code?: string }
  return new RemodelError('infrastructure', `PostgreSQL at ${at.address}:${at.port}: ${message}`, {
    details: code === undefined ? {} : { sqlstate: code },
  })
}

export const quoted = (name: string) => pg.escapeIdentifier(name)
export const literal = (text: string) => pg.escapeLiteral(text)
