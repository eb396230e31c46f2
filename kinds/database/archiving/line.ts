import { randomBytes } from 'node:crypto'
import type { StepContext } from '../../contract/step.ts'
import { bytesAt, switches } from '../archive/chain.ts'
import type { Member } from '../inputs.ts'
import { schemaLock } from '../postgres/locks.ts'
import { archiveSlot } from '../postgres/names.ts'
import { ensureOwnSchema } from '../postgres/own-schema.ts'
import { type Address, type Machines, openSession, type Session } from '../postgres/server.ts'
import { primaryOf } from '../server/primary.ts'

/**
 * The line of the archive that a node's data belongs to. It is written in the data itself (database `postgres`), so
 * replicas have it and a failover keeps it. Made up where there is none.
 */
export async function lineOf(session: Session): Promise<string> {
  await prepare(session)
  await session.query('INSERT INTO remodel.archive (line) VALUES ($1) ON CONFLICT DO NOTHING', [newLine()])
  return String(await session.value('SELECT line FROM remodel.archive'))
}

/**
 * What other nodes read of a node: the line of its data, or another one that it forked into when a server took over
 * that did not have all of its log (`server/fork.ts`).
 */
export interface ReadLine {
  name: string
  /** Line before it -> up to where that is the same as this one. */
  before: ReadonlyMap<string, string>
}

/** Of the node of these servers. */
export async function lineAt(
  { provider, signal }: Pick<StepContext, 'provider' | 'signal'>,
  members: readonly Member[],
): Promise<ReadLine> {
  const session = await openSession(provider, await primaryOf(provider, members, signal), 'postgres', { signal })
  try {
    return await readLineOf(session)
  } finally {
    await session.close()
  }
}

async function readLineOf(session: Session): Promise<ReadLine> {
  const first = await lineOf(session)
  if ((await session.value(`SELECT to_regclass('remodel.fork')::text`)) === null)
    return { name: first, before: new Map() }
  const forks = await session.query('SELECT line, before, at::text AS at FROM remodel.fork')
  return along(
    first,
    forks.map(({ line, before, at }) => ({ line: String(line), before: String(before), at: String(at) })),
  )
}

/** Pure. Forks of data that was restored since begin with other lines, and are not met. */
export function along(first: string, forks: readonly { line: string; before: string; at: string }[]): ReadLine {
  let name = first
  const before = new Map<string, string>()
  for (let next = forks.find((fork) => fork.before === name); next; next = forks.find((fork) => fork.before === name)) {
    const { at, line } = next
    before.set(name, at)
    for (const [earlier, until] of before) if (bytesAt(at) < bytesAt(until)) before.set(earlier, at)
    name = line
  }
  return { name, before }
}

/**
 * The data goes on in a line of this name from where the log left a timeline. False where it has left another one
 * since.
 */
export async function forkLine(
  session: Session,
  { line, timeline }: { line: string; timeline: number },
): Promise<boolean> {
  const { name } = await readLineOf(session)
  await session.query(`SELECT pg_advisory_lock(${schemaLock})`)
  await session.query(
    'CREATE TABLE IF NOT EXISTS remodel.fork (line text PRIMARY KEY, before text NOT NULL, at pg_lsn NOT NULL)',
  )
  await session.query(`SELECT pg_advisory_unlock(${schemaLock})`)
  if ((await session.value('SELECT 1 FROM remodel.fork WHERE line = $1', [line])) !== null) return true
  const history = String(
    await session.value(
      `SELECT pg_read_file('pg_wal/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || '.history')`,
    ),
  )
  const last = switches(history).at(-1)
  if (last?.timeline !== timeline) return false
  await session.query('INSERT INTO remodel.fork (line, before, at) VALUES ($1, $2, $3)', [line, name, last.lsn])
  return true
}

/** What is written from now on goes to a line of its own: the data was restored, or copied from another node. */
export async function beginLine(session: Session): Promise<void> {
  await prepare(session)
  await session.query(
    'INSERT INTO remodel.archive (line) VALUES ($1) ON CONFLICT (one) DO UPDATE SET line = excluded.line',
    [newLine()],
  )
}

/** A server keeps its log until it is archived; or, where it is not to be archived, no longer. */
export async function ensureArchiveSlot(machines: Machines, at: Address, wanted: boolean): Promise<void> {
  const session = await openSession(machines, at, 'postgres')
  try {
    const known = await session.value('SELECT 1 FROM pg_replication_slots WHERE slot_name = $1', [archiveSlot])
    if (wanted && known === null) {
      await session.query('SELECT pg_create_physical_replication_slot($1, true)', [archiveSlot])
    } else if (!wanted && known !== null) await session.query('SELECT pg_drop_replication_slot($1)', [archiveSlot])
  } finally {
    await session.close()
  }
}

/** Whether a server keeps its log for the archive. */
export async function keepsForArchive(machines: Machines, at: Address): Promise<boolean> {
  const session = await openSession(machines, at, 'postgres')
  try {
    return (await session.value('SELECT 1 FROM pg_replication_slots WHERE slot_name = $1', [archiveSlot])) !== null
  } finally {
    await session.close()
  }
}

export function newLine(): string {
  return randomBytes(6).toString('hex')
}

async function prepare(session: Session): Promise<void> {
  if ((await session.value(`SELECT to_regclass('remodel.archive')::text`)) !== null) return
  await ensureOwnSchema(session)
  await session.query(`SELECT pg_advisory_lock(${schemaLock})`)
  await session.query(
    'CREATE TABLE IF NOT EXISTS remodel.archive (one boolean PRIMARY KEY DEFAULT true CHECK (one), line text NOT NULL)',
  )
  await session.query(`SELECT pg_advisory_unlock(${schemaLock})`)
}
