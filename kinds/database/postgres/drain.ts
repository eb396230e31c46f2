import { failureText } from './links/failure.ts'
import { type Incoming, incomingOf } from './links/incoming.ts'
import { linkName, publication, replicationRole } from './names.ts'
import { quoted, type Session } from './server.ts'

/** Larger numbers of rows are not counted to their end. */
const countedUpTo = 100_000
const copyTries = 3

/**
 * How far the drain of a node's database is, as its own catalog says: replicas have it, so a failover forgets nothing.
 */
export type Drain = 'none' | 'begun' | 'done'

const mark = 'remodel.drain'

/**
 * New transactions read only from now on, and the database remembers why. One that was `done` stays so. Sessions that
 * there are go on as they were.
 */
export async function beginDrain(session: Session, database: string): Promise<void> {
  if ((await drainOf(session, database)) !== 'none') return
  await session.query(`ALTER DATABASE ${quoted(database)} SET default_transaction_read_only = on`)
  // Other nodes look for a server that takes writes when they connect anew.
  await session.query(
    `ALTER ROLE ${replicationRole} IN DATABASE ${quoted(database)} SET default_transaction_read_only = off`,
  )
  await session.query(`ALTER DATABASE ${quoted(database)} SET ${mark} = 'begun'`)
}

/** Nothing that was acknowledged is missing on the nodes that stay. */
export async function noteDrained(session: Session, database: string): Promise<void> {
  await session.query(`ALTER DATABASE ${quoted(database)} SET ${mark} = 'done'`)
}

/** It is to be written to again, so it counts as drained no more. Answers whether there was a drain. */
export async function reopenDrain(session: Session, database: string): Promise<boolean> {
  const drain = await drainOf(session, database)
  if (drain === 'done') await session.query(`ALTER DATABASE ${quoted(database)} SET ${mark} = 'begun'`)
  return drain !== 'none'
}

export async function endDrain(session: Session, database: string): Promise<void> {
  await session.query(`ALTER DATABASE ${quoted(database)} RESET default_transaction_read_only`)
  await session.query(
    `ALTER ROLE ${replicationRole} IN DATABASE ${quoted(database)} RESET default_transaction_read_only`,
  )
  await session.query(`ALTER DATABASE ${quoted(database)} RESET ${mark}`)
}

export async function drainOf(session: Session, database: string): Promise<Drain> {
  const text = await session.value(
    `SELECT split_part(setting, '=', 2) FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase, unnest(setconfig) setting
     WHERE setrole = 0 AND datname = $1 AND setting LIKE '${mark}=%'`,
    [database],
  )
  return text === 'begun' || text === 'done' ? text : 'none'
}

/** What a provider's slot says of one that reads from it; null where there is no such slot. */
export interface Reading {
  /** Bytes of its log that the reader has not confirmed. */
  behind: number
  confirmed: string
  active: boolean
}

export async function readingOf(session: Session, provider: string, subscriber: string): Promise<Reading | null> {
  const [row] = await session.query(
    `SELECT (pg_current_wal_insert_lsn() - confirmed_flush_lsn)::bigint::text AS behind, confirmed_flush_lsn::text AS confirmed, active
     FROM pg_replication_slots WHERE slot_name = $1 AND invalidation_reason IS NULL`,
    [linkName(provider, subscriber)],
  )
  if (!row) return null
  return { behind: Number(row.behind), confirmed: String(row.confirmed), active: row.active === true }
}

/** How a reader does, by its own word; null where it has no such subscription. */
export async function readerOf(
  session: Session,
  { provider, database }: { provider: string; database: string },
  readLog: () => Promise<string>,
): Promise<Incoming | null> {
  return (await incomingOf(session, database, readLog)).find((one) => one.provider === provider) ?? null
}

/** A link as both ends tell of it. */
export interface Link {
  /** Null: the provider keeps no log for it. */
  reading: Reading | null
  /** Null: there is no subscription. Undefined: the reader does not answer. */
  reader: Incoming | null | undefined
}

/**
 * Why a link carries nothing, from two looks at it with time for another try in between; null where it
 * does, or may only be slow.
 */
export function whyStopped(node: string, peer: string, before: Link, now: Link): string | null {
  if (now.reading === null) return `${node} keeps no log for ${peer}`
  if (now.reader === null) return `${peer} has no subscription to ${node}`
  if (now.reader === undefined) return before.reader === undefined ? `${peer} does not answer` : null
  if (!now.reader.enabled) return `the subscription of ${peer} to ${node} is disabled`
  if (now.reader.failure !== null) {
    return `${peer} cannot apply what ${node} sent it: ${failureText(now.reader.failure, [node, peer])}`
  }
  const again = before.reader && now.reader.errors > before.reader.errors
  if (again && now.reading.confirmed === before.reading?.confirmed) {
    return `${peer} cannot apply what ${node} sent it (see the log of ${peer})`
  }
  return null
}

/**
 * How many rows a node has written that the reader of this slot has not confirmed, `atLeast` where there are more. They
 * are read from the log by a copy of the slot that ends with the session, so the reader is not disturbed.
 */
export async function waitingRows(
  session: Session,
  provider: string,
  subscriber: string,
): Promise<{ rows: number; atLeast: boolean }> {
  const copy = `${linkName(provider, subscriber)}`.slice(0, 50)
  const name = `${copy}_count`
  for (let n = 1; ; n++) {
    try {
      await session.query('SELECT pg_copy_logical_replication_slot($1, $2, true)', [
        linkName(provider, subscriber),
        name,
      ])
      break
    } catch (error) {
      // The slot moved on while it was copied.
      if (n === copyTries) throw error
    }
  }
  try {
    const [row] = await session.query(
      `SELECT count(*)::int AS messages, count(*) FILTER (WHERE get_byte(data, 0) IN (68, 73, 84, 85))::int AS rows
       FROM pg_logical_slot_peek_binary_changes($1, NULL, $2, 'proto_version', '1', 'publication_names', $3, 'origin', 'none')`,
      [name, countedUpTo, publication],
    )
    return { rows: Number(row!.rows), atLeast: Number(row!.messages) >= countedUpTo }
  } finally {
    await session.query('SELECT pg_drop_replication_slot($1)', [name]).catch(() => {})
  }
}

export const rowsText = ({ rows, atLeast }: { rows: number; atLeast: boolean }) =>
  `${atLeast ? 'at least ' : ''}${rows.toLocaleString('en-US')} row${rows === 1 ? '' : 's'}`
