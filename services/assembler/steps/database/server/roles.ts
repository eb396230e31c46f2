import type { Member, User } from '../../../../../shared/kinds/database.ts'
import { openFenced } from '../../../../../shared/postgres/fenced.ts'
import { literal, quoted } from '../../../../../shared/postgres/server.ts'
import type { StepContext } from '../../step.ts'

/** The document's users as roles. Roles that are no longer named stay: they may own things. */
export async function ensureRoles(context: StepContext, primary: Member, users: readonly User[]): Promise<void> {
  if (users.length === 0) return
  const session = await openFenced(primary, 'postgres', context.fence)
  try {
    for (const { username, verifier, attributes } of users) {
      const known = await session.value('SELECT 1 FROM pg_roles WHERE rolname = $1', [username])
      const password = verifier === '' ? 'NULL' : literal(verifier)
      const verb = known === null ? 'CREATE' : 'ALTER'
      await session.query(`${verb} ROLE ${quoted(username)} ${attributes.join(' ')} PASSWORD ${password}`)
    }
  } finally {
    await session.close()
  }
}
