import type { Member } from '../inputs.ts'
import { ensureOwnSequence } from '../postgres/own-schema.ts'
import { type Machines, openSession, quoted, type Session } from '../postgres/server.ts'

/** Database -> sequence -> the highest fence that was shown there (`kinds/database/postgres/fenced.ts`). */
export type SeenFences = Record<string, Record<string, number>>

/**
 * The fences of a server's databases; empty where it does not answer. A restore would set them back, and a worker that
 * was paused since could write again: they are carried over.
 */
export async function readFences(machines: Machines, member: Member, database: string): Promise<SeenFences> {
  const seen: SeenFences = {}
  for (const name of ['postgres', database]) {
    try {
      const session = await openSession(machines, member, name, { timeoutMs: 2000 })
      try {
        const rows = await session.query(
          `SELECT sequencename, coalesce(last_value, 0)::text AS number FROM pg_sequences WHERE schemaname = 'remodel'`,
        )
        seen[name] = Object.fromEntries(rows.map((row) => [String(row.sequencename), Number(row.number)]))
      } finally {
        await session.close()
      }
    } catch {
      // It is down, or has no such database: no step can have shown a fence there since the log ends.
    }
  }
  return seen
}

/** No number gets smaller. */
export async function raiseFences(session: Session, seen: Readonly<Record<string, number>>): Promise<void> {
  for (const [name, number] of Object.entries(seen)) {
    const sequence = `remodel.${quoted(name)}`
    await ensureOwnSequence(session, sequence)
    await session.query(`SELECT setval('${sequence}', greatest(last_value, $1)) FROM ${sequence}`, [number])
  }
}
