import type { Connection } from '../../../shared/provider/connection.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { Secrets } from '../../../shared/runtime/secrets.ts'
import type { StepContext } from '../../contract/step.ts'
import type { Member } from '../inputs.ts'
import { replicationRole } from '../postgres/names.ts'
import { setPassword } from '../postgres/password.ts'
import { isUsualRole, usualRole } from '../postgres/roles.ts'
import { verifierOf, verifies } from '../postgres/scram.ts'
import { openSession, quoted, type Session } from '../postgres/server.ts'
import { noteWritten } from '../postgres/written-files.ts'
import { missingFollowRule } from './access.ts'
import { owner, place } from './place.ts'
import { findPrimary } from './primary.ts'
import { reloadServer } from './process.ts'
import { shell } from './shell.ts'
import { isVerifiable, writeAuthority } from './tls.ts'

/** As this role servers follow each other: of one deployment all have the same password, and others another one. */
export function replicationPassword(secrets: Secrets, deployment: string): string {
  return secrets.derive('replication', deployment).toString('hex')
}

/**
 * The role on a primary, and a rule that lets replicas in: what a server is set up with asks for both. A primary that
 * was set up before there was such a role gets it before its first replica needs it.
 */
export async function admitReplicas(context: StepContext, primary: Member, deployment: string): Promise<void> {
  const session = await openSession(context.provider, primary, 'postgres', { signal: context.signal })
  try {
    await ensureReplicationRole(session, replicationPassword(context.secrets, deployment))
  } finally {
    await session.close()
  }
  await failpoint('admit-replicas.role')
  const connection = await context.provider.connect(primary.vm, context.fence)
  try {
    const rules = (await connection.read(`${place.data}/pg_hba.conf`)).toString()
    const rule = missingFollowRule(rules)
    if (rule === undefined) return
    await shell(
      connection,
      `cd ${place.data}; sed -i '1i ${rule}' pg_hba.conf; chown ${owner} pg_hba.conf; ${noteWritten(['pg_hba.conf'])}`,
    )
    await reloadServer(connection)
  } finally {
    connection.close()
  }
}

/**
 * What a subscription needs to come to its provider: the role there, its password and the CA's certificate on the
 * subscriber's machines. Servers that are changed one by one have both before their own turn comes.
 */
export async function admitSubscriber(
  context: StepContext,
  deployment: string,
  { provider, subscriber }: { provider: readonly Member[]; subscriber: readonly Member[] },
): Promise<{ verified: boolean }> {
  const verified = await isVerifiable(context.provider, provider)
  const password = replicationPassword(context.secrets, deployment)
  const primary = await findPrimary(context.provider, provider)
  if (primary) {
    const session = await openSession(context.provider, primary, 'postgres', { signal: context.signal })
    try {
      await ensureReplicationRole(session, password)
    } finally {
      await session.close()
    }
  }
  for (const { vm } of subscriber) {
    if ((await context.provider.findVm(vm))?.state !== 'running') continue
    const connection = await context.provider.connect(vm, context.fence)
    try {
      await writePassword(connection, password)
      if (verified) await writeAuthority(connection, { secrets: context.secrets, deployment })
    } finally {
      connection.close()
    }
  }
  return { verified }
}

/** For libpq, in a file that only the server can read. */
export async function writePassword(connection: Connection, password: string): Promise<void> {
  const text = `*:*:*:${replicationRole}:${password}\n`
  const known = await connection.read(place.passwords).catch(() => null)
  if (known?.toString() === text) return
  await connection.write(place.passwords, text, 0o600)
  await shell(connection, `chown ${owner} ${place.passwords}`)
}

/** On a primary: the role, with this password. A data directory of an archive may have it with another one. */
export async function ensureReplicationRole(session: Session, password: string): Promise<void> {
  const [known] = await session.query(
    `SELECT rolpassword, rolcanlogin AND rolreplication AND ${isUsualRole} AS comes_in FROM pg_authid WHERE rolname = $1`,
    [replicationRole],
  )
  // Links of several nodes are set up at once, and of two who change a role at once one fails.
  if (known?.comes_in !== true) {
    await session.query(`${known ? 'ALTER' : 'CREATE'} ROLE ${quoted(replicationRole)} LOGIN REPLICATION ${usualRole}`)
  }
  const verifier = typeof known?.rolpassword === 'string' ? known.rolpassword : null
  if (await verifies(verifier, password)) return
  await setPassword(session, replicationRole, await verifierOf(password, crypto.getRandomValues(new Uint8Array(16))))
}
