import type { Session } from './server.ts'

/** What a document may give a role, and what it has of `pg_authid` then. */
export const roleAttributes = {
  LOGIN: 'rolcanlogin',
  SUPERUSER: 'rolsuper',
  CREATEDB: 'rolcreatedb',
  CREATEROLE: 'rolcreaterole',
  REPLICATION: 'rolreplication',
} as const

/** Says of a role that a document has made it: it goes when no document names it any more, also where its data came from a backup. */
export const documentRole = 'a user of the document, made by Remodel'

/** A role as the document has it; `verifier` is empty where it has no password. */
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

/** Names of roles that are not as the document has them: missing, of other attributes, with or without a password, able to come in still. */
export async function rolesAmiss(session: Session, users: readonly Wanted[]): Promise<string[]> {
  const columns = Object.values(roleAttributes).join(', ')
  const rows = await session.query(
    `SELECT rolname, ${columns}, rolpassword IS NOT NULL AS password, shobj_description(oid, 'pg_authid') AS made FROM pg_authid`,
  )
  const known = new Map(rows.map((row) => [String(row.rolname), row]))
  const amiss = users.filter(({ username, verifier, attributes }) => {
    const role = known.get(username)
    if (!role || role.password !== (verifier !== '')) return true
    return Object.entries(roleAttributes).some(([name, column]) => role[column] !== attributes.includes(name))
  })
  const left = rows.filter(
    ({ rolname, made, rolcanlogin }) =>
      made === documentRole && rolcanlogin === true && !users.some(({ username }) => username === rolname),
  )
  return [...amiss.map(({ username }) => username), ...left.map(({ rolname }) => String(rolname))]
}
