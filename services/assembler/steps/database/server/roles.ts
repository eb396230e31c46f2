import { failpoint } from '../../../../../shared/failpoint.ts'
import type { Member, User } from '../../../../../shared/kinds/database.ts'
import { openFenced } from '../../../../../shared/postgres/fenced.ts'
import { setPassword } from '../../../../../shared/postgres/password.ts'
import { quoted } from '../../../../../shared/postgres/server.ts'
import type { StepContext } from '../../step.ts'
import { ensureReplicationRole, replicationPassword } from './replication.ts'

/** Remodel's own role and the document's users. Roles that are no longer named stay: they may own things. */
export async function ensureRoles(
  context: StepContext,
  primary: Member,
  users: readonly User[],
  deployment: string,
): Promise<void> {
  const session = await openFenced(context.provider, primary, 'postgres', context)
  try {
    await ensureReplicationRole(session, replicationPassword(context.secrets, deployment))
    for (const { username, verifier, attributes } of users) {
      const known = await session.value('SELECT 1 FROM pg_roles WHERE rolname = $1', [username])
      const verb = known === null ? 'CREATE' : 'ALTER'
      await session.query(`${verb} ROLE ${quoted(username)} ${attributes.join(' ')}`)
      await failpoint('set-up-instance.role')
      await setPassword(session, username, verifier === '' ? null : (await context.blobs.get(verifier)).toString())
    }
  } finally {
    await session.close()
  }
}
