import { publication, replicationRole } from './names.ts'
import type { Session } from './server.ts'

/** The database of a node as its server has it. */
export interface DatabaseSeen {
  there: boolean
  /** Sessions of a superuser are let in. */
  admin: boolean
  owner: string
  /**
   * What keeps clients from reading and writing, or servers of other nodes from coming in; each as
   * the rest of a sentence.
   */
  faults: string[]
}

/** Asks from outside of the database: one that lets no session in is seen too. */
export async function databaseSeen(session: Session, database: string): Promise<DatabaseSeen> {
  const [row] = await session.query(
    `SELECT pg_get_userbyid(datdba) AS owner, datallowconn AS admin, datallowconn AND datconnlimit <> 0 AS open,
       EXISTS (SELECT FROM pg_roles r WHERE rolname = $2 AND has_database_privilege(r.oid, d.oid, 'CONNECT')) AS admits,
       EXISTS (SELECT FROM pg_db_role_setting, unnest(setconfig) setting WHERE setdatabase = d.oid AND setrole = 0
         AND setting ~ '^default_transaction_read_only=(on|true|yes|1)$') AS read_only
     FROM pg_database d WHERE datname = $1`,
    [database, replicationRole],
  )
  if (!row) return { there: false, admin: false, owner: '', faults: [] }
  return {
    there: true,
    admin: row.admin === true,
    owner: String(row.owner),
    faults: [
      ...(row.open ? [] : ['it lets no client in']),
      ...(row.read_only ? ['its clients can only read'] : []),
      ...(row.admits ? [] : [`role ${replicationRole} cannot come in`]),
    ],
  }
}

/** Asks inside of the database. */
export async function publicationFault(session: Session): Promise<string> {
  const whole = await session.value(
    `SELECT puballtables AND pubinsert AND pubupdate AND pubdelete AND pubtruncate AND NOT pubviaroot FROM pg_publication WHERE pubname = $1`,
    [publication],
  )
  const lost = 'what was written since may be missing on other nodes'
  if (whole === null) return `publication ${publication} is gone: ${lost}`
  return whole === true ? '' : `publication ${publication} does not publish every change of every table: ${lost}`
}
