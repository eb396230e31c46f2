import { randomBytes } from 'node:crypto'
import type { StepContext } from '../../contract/step.ts'
import type { Member } from '../inputs.ts'
import { schemaLock } from '../postgres/locks.ts'
import { archiveSlot } from '../postgres/names.ts'
import { type Address, type Machines, openSession, type Session } from '../postgres/server.ts'
import { primaryOf } from '../server/primary.ts'

/**
 * The line of the archive that a node's data belongs to. It is written in the data itself (database `postgres`), so replicas
 * have it and a failover keeps it. Made up where there is none.
 */
export async function lineOf(session: Session): Promise<string> {
  await prepare(session)
  await session.query('INSERT INTO remodel.archive (line) VALUES ($1) ON CONFLICT DO NOTHING', [newLine()])
  return String(await session.value('SELECT line FROM remodel.archive'))
}

/** The line of the node of these servers. */
export async function lineAt(
  { provider, signal }: Pick<StepContext, 'provider' | 'signal'>,
  members: readonly Member[],
): Promise<string> {
  const session = await openSession(provider, await primaryOf(provider, members, signal), 'postgres', { signal })
  try {
    return await lineOf(session)
  } finally {
    await session.close()
  }
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

function newLine(): string {
  return randomBytes(6).toString('hex')
}

async function prepare(session: Session): Promise<void> {
  if ((await session.value(`SELECT to_regclass('remodel.archive')::text`)) !== null) return
  // Two at once may meet here: IF NOT EXISTS is no lock.
  await session.query(`SELECT pg_advisory_lock(${schemaLock})`)
  await session.query('CREATE SCHEMA IF NOT EXISTS remodel')
  await session.query(
    'CREATE TABLE IF NOT EXISTS remodel.archive (one boolean PRIMARY KEY DEFAULT true CHECK (one), line text NOT NULL)',
  )
  await session.query(`SELECT pg_advisory_unlock(${schemaLock})`)
}
