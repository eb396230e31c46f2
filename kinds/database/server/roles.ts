import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { StepContext } from '../../contract/step.ts'
import type { InstanceAttributes, Member, User } from '../inputs.ts'
import { openFenced } from '../postgres/fenced.ts'
import { setPassword } from '../postgres/password.ts'
import { documentRole, roleAttributes, rolesOfDocuments, usualRole } from '../postgres/roles.ts'
import { literal, quoted, type Session } from '../postgres/server.ts'
import { ensureReplicationRole, replicationPassword } from './replication.ts'

const all = Object.keys(roleAttributes)
const stripped = [...all.map((name) => `NO${name}`), 'PASSWORD NULL'].join(' ')

/**
 * Remodel's own role and the document's users, with exactly the attributes and the password that the document gives
 * them. `gone`: users that were set up with the document before; roles that another document made, as the data of a
 * backup may have, go with them.
 */
export async function ensureRoles(
  context: StepContext,
  primary: Member,
  { users, database_name }: InstanceAttributes,
  { deployment, gone }: { deployment: string; gone: readonly string[] },
): Promise<void> {
  const session = await openFenced(context.provider, primary, 'postgres', context)
  const left = new Set(gone)
  try {
    await ensureReplicationRole(session, replicationPassword(context.secrets, deployment))
    for (const user of users) await ensureRole(context, session, user)
    for (const role of await rolesOfDocuments(session)) left.add(role)
    for (const { username } of users) left.delete(username)
    for (const role of left) await closeRole(session, role)
  } finally {
    await session.close()
  }
  for (const role of left) await dropRole(context, primary, database_name, role)
}

async function ensureRole(context: StepContext, session: Session, { username, verifier, attributes }: User) {
  const known = await session.value('SELECT 1 FROM pg_roles WHERE rolname = $1', [username])
  const given = all.map((name) => (attributes.includes(name) ? name : `NO${name}`)).join(' ')
  await session.query(`${known === null ? 'CREATE' : 'ALTER'} ROLE ${quoted(username)} ${given} ${usualRole}`)
  await session.query(`COMMENT ON ROLE ${quoted(username)} IS ${literal(documentRole)}`)
  await failpoint('set-up-instance.role')
  await setPassword(session, username, verifier === '' ? null : (await context.blobs.get(verifier)).toString())
}

/** It comes in no more, from now on, whatever it owns. */
async function closeRole(session: Session, role: string): Promise<void> {
  if ((await session.value('SELECT 1 FROM pg_roles WHERE rolname = $1', [role])) === null) return
  await session.query(`ALTER ROLE ${quoted(role)} ${stripped}`)
  const memberships = await session.query(
    'SELECT g.rolname FROM pg_auth_members JOIN pg_roles g ON g.oid = roleid JOIN pg_roles m ON m.oid = member WHERE m.rolname = $1',
    [role],
  )
  for (const { rolname } of memberships) await session.query(`REVOKE ${quoted(String(rolname))} FROM ${quoted(role)}`)
  await session.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [role])
  await failpoint('set-up-instance.role-closed')
}

/**
 * Gone with what it was allowed, unless something is its own in one of the databases: then it
 * stays, and nothing is lost.
 */
async function dropRole(context: StepContext, primary: Member, database: string, role: string): Promise<void> {
  for (const name of new Set([database, 'postgres'])) {
    const session = await openFenced(context.provider, primary, 'postgres', context)
    try {
      if ((await session.value('SELECT 1 FROM pg_database WHERE datname = $1', [name])) === null) continue
      const owns = await session.value(
        `SELECT 1 FROM pg_shdepend JOIN pg_roles r ON r.oid = refobjid WHERE refclassid = 'pg_authid'::regclass AND deptype = 'o' AND rolname = $1`,
        [role],
      )
      if (owns !== null) return
    } finally {
      await session.close()
    }
    await disown(context, primary, name, role)
  }
}

async function disown(context: StepContext, primary: Member, database: string, role: string): Promise<void> {
  const session = await openFenced(context.provider, primary, database, context)
  try {
    if ((await session.value('SELECT 1 FROM pg_roles WHERE rolname = $1', [role])) === null) return
    await session.query(`DROP OWNED BY ${quoted(role)}`)
    const others = await session.value(
      `SELECT 1 FROM pg_shdepend JOIN pg_roles r ON r.oid = refobjid WHERE refclassid = 'pg_authid'::regclass AND rolname = $1`,
      [role],
    )
    if (others === null) await session.query(`DROP ROLE ${quoted(role)}`)
  } finally {
    await session.close()
  }
}
