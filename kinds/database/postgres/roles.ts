import { replicationRole } from './names.ts'
import type { Session } from './server.ts'

/** What a document may give a role, and what it has of `pg_authid` then. */
export const roleAttributes = {
  LOGIN: 'rolcanlogin',
  SUPERUSER: 'rolsuper',
  CREATEDB: 'rolcreatedb',
  CREATEROLE: 'rolcreaterole',
  REPLICATION: 'rolreplication',
} as const

/** What no document says of a role, and what would keep it out or give it more than its document. */
export const usualRole = `CONNECTION LIMIT -1 VALID UNTIL 'infinity' NOBYPASSRLS`

export const isUsualRole = `rolconnlimit <> 0 AND coalesce(rolvaliduntil, 'infinity') > now() AND NOT rolbypassrls`

/**
 * Says of a role that a document has made it: it goes when no document names it any more, also where its
 * data came from a backup.
 */
export const documentRole = 'a user of the document, made by Remodel'

/**
 * A role as the document has it; `verifier`: digest of what PostgreSQL stores of its password, empty where it has none.
 */
interface Wanted {
  username: string
  verifier: string
  attributes: readonly string[]
}

/** Names of roles that a document made. */
export async function rolesOfDocuments(session: Session): Promise<string[]> {
  const rows = await session.query(
    `SELECT rolname FROM pg_authid WHERE shobj_description(oid, 'pg_authid') = $1 ORDER BY rolname`,
    [documentRole],
  )
  return rows.map(({ rolname }) => String(rolname))
}

/**
 * Names of roles that are not as the document has them: missing, of other attributes, of another password or none, kept
 * from coming in, or able to still. No verifier leaves the server.
 */
export async function rolesAmiss(session: Session, users: readonly Wanted[]): Promise<string[]> {
  const columns = Object.values(roleAttributes).join(', ')
  const rows = await session.query(
    `SELECT rolname, ${columns}, 'sha256:' || encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex') AS password,
       ${isUsualRole} AS usual, shobj_description(oid, 'pg_authid') AS made FROM pg_authid`,
  )
  const known = new Map(rows.map((row) => [String(row.rolname), row]))
  const amiss = users.filter(({ username, verifier, attributes }) => {
    const role = known.get(username)
    if (!role || (role.password ?? '') !== verifier || role.usual !== true) return true
    return Object.entries(roleAttributes).some(([name, column]) => role[column] !== attributes.includes(name))
  })
  const left = rows.filter(
    ({ rolname, made, rolcanlogin }) =>
      made === documentRole && rolcanlogin === true && !users.some(({ username }) => username === rolname),
  )
  const own = known.get(replicationRole)
  return [
    ...amiss.map(({ username }) => username),
    ...left.map(({ rolname }) => String(rolname)),
    ...(own?.rolcanlogin && own.rolreplication && own.password !== null && own.usual ? [] : [replicationRole]),
  ]
}
