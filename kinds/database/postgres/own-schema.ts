import { RemodelError } from '../../../shared/runtime/errors.ts'
import { schemaLock } from './locks.ts'
import { adminRole } from './names.ts'
import type { Session } from './server.ts'

/**
 * The schema `remodel` of the session's database. Throws `job-failed` where it belongs to another role, as one who
 * owns the database can have made it first: what that role puts there under the name of a fence would be run by each
 * superuser that reads it.
 */
export async function ensureOwnSchema(session: Session): Promise<void> {
  if (await isOwn(session)) return
  // Two at once may meet here: IF NOT EXISTS is no lock.
  await session.query(`SELECT pg_advisory_lock(${schemaLock})`)
  await session.query('CREATE SCHEMA IF NOT EXISTS remodel')
  await session.query(`SELECT pg_advisory_unlock(${schemaLock})`)
  await isOwn(session)
}

/** A sequence in it, which only the admin role can take away again. */
export async function ensureOwnSequence(session: Session, sequence: string): Promise<void> {
  await ensureOwnSchema(session)
  if (await isOwnSequence(session, sequence)) return
  await session.query(`SELECT pg_advisory_lock(${schemaLock})`)
  await session.query(`CREATE SEQUENCE IF NOT EXISTS ${sequence} MINVALUE 0 START 0`)
  await session.query(`SELECT pg_advisory_unlock(${schemaLock})`)
  await isOwnSequence(session, sequence)
}

/** False where there is none. */
async function isOwn(session: Session): Promise<boolean> {
  const owner = await session.value(`SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'remodel'`)
  if (owner !== null && owner !== adminRole) throw taken(`schema remodel belongs to ${owner}`)
  return owner !== null
}

async function isOwnSequence(session: Session, sequence: string): Promise<boolean> {
  const [found] = await session.query(
    `SELECT relkind = 'S' AND pg_get_userbyid(relowner) = $2 AS own, pg_get_userbyid(relowner) AS owner FROM pg_class WHERE oid = to_regclass($1)`,
    [sequence, adminRole],
  )
  if (found && found.own !== true) throw taken(`${sequence} belongs to ${found.owner} or is no sequence`)
  return found !== undefined
}

function taken(what: string): RemodelError {
  return new RemodelError(
    'job-failed',
    `${what}, and Remodel keeps there what no other role may change: rename it (ALTER SCHEMA remodel RENAME TO …), then deploy again`,
  )
}
