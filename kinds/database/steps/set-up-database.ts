import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { runAs } from '../postgres/as-role.ts'
import { databaseSeen, publicationFault } from '../postgres/database-seen.ts'
import { drainOf } from '../postgres/drain.ts'
import { keepTakingIn } from '../postgres/links/take-in.ts'
import { adminRole, publication, replicationRole } from '../postgres/names.ts'
import { settleSql } from '../postgres/own-settings.ts'
import { shareOwnSequences, shareSequences } from '../postgres/sequences.ts'
import { quoted, type Session } from '../postgres/server.ts'
import { makeExtensions } from '../server/extensions.ts'
import { findPrimary, onPrimary } from '../server/primary.ts'
import { recorded } from '../server/record.ts'
import { giveWritesBack } from '../server/writes.ts'

/**
 * The database on a node: owner, publication of all tables, and the document's own statements, once. The publication is
 * made in the same transaction as the statements ran, so it tells whether they did; sequences draw the node's numbers
 * from the first one on.
 */
export default defineStep({
  input: inputs['set-up-database'],
  look: async () => null,
  async apply(context, input) {
    const { event, members, database, renameFrom, owner, script, copied, shareOf, extensions, goneExtensions } = input
    // A node that is filled from another gets the database with the copy.
    if (copied && (await findPrimary(context.provider, members)) === null) return
    await onPrimary(context, members, 'postgres', async (session) => {
      const known = await session.value('SELECT 1 FROM pg_database WHERE datname = $1', [database])
      const old = await session.value('SELECT 1 FROM pg_database WHERE datname = $1', [renameFrom])
      if (known === null && old !== null) {
        await session.query(`ALTER DATABASE ${quoted(renameFrom)} RENAME TO ${quoted(database)}`)
      } else if (known === null) await session.query(`CREATE DATABASE ${quoted(database)}`)
      await letIn(session, database)
      await failpoint('set-up-database.created')
    })
    // It was to be removed, and stays after all.
    await giveWritesBack(context, { members, database }, { arranged: true })
    await onPrimary(context, members, database, async (session) => {
      await changeOwner(session, database, owner === '' ? adminRole : owner)
      // A script may take it from all roles, and the other nodes come in as this one.
      await session.query(`GRANT CONNECT ON DATABASE ${quoted(database)} TO ${replicationRole}`)
      if (owner !== '') await session.query(`GRANT ALL ON SCHEMA public TO ${quoted(owner)}`)
      await keepTakingIn(session)
      await makeExtensions(context, session, { extensions, goneExtensions })
      if ((await publicationFault(session)) === '') {
        if (shareOf !== null) await shareSequences(session, shareOf)
        return
      }
      // It was made once, so the statements have run.
      const known = await session.value('SELECT 1 FROM pg_publication WHERE pubname = $1', [publication])
      const again = event === 'update' || known !== null
      await session.query('BEGIN')
      await session.query(`DROP PUBLICATION IF EXISTS ${publication}`)
      if (!again) await runScript(session, owner, script)
      if (shareOf !== null) await shareOwnSequences(session, shareOf)
      await session.query(`CREATE PUBLICATION ${publication} FOR ALL TABLES`)
      await session.query('COMMIT')
      await failpoint('set-up-database.published')
    })
  },
  verify: async (context, input) => recorded(context, input),
})

/** As the owner; where there is none, as the admin role. */
async function runScript(session: Session, owner: string, script: readonly string[]): Promise<void> {
  if (owner !== '') return runAs(session, owner, script, ofScript)
  await session.query(`SET LOCAL search_path = public; SET LOCAL restrict_nonsystem_relation_kind = ''`)
  for (const [at, statement] of script.entries()) {
    await session.query(statement).catch((error) => {
      throw ofScript(error, at)
    })
  }
  await session.query(settleSql)
}

/**
 * Classes of errors that another attempt may not meet: connection, rollback, resources, locks, an operator, the system.
 */
const passing = /^(08|40|53|55|57|58)/

/**
 * A statement of the document that the server refuses is refused the next time too. Its text stays out: it
 * may hold what is secret.
 */
function ofScript(error: unknown, at: number): unknown {
  if (!(error instanceof RemodelError)) return error
  const { sqlstate } = error.details
  if (typeof sqlstate !== 'string' || passing.test(sqlstate)) return error
  const message = `scripts.post_database_create[${at}] failed, and none of its statements has an effect, as they run in one transaction: ${error.message}`
  return new RemodelError('job-failed', message, { details: { ...error.details, statement: at }, cause: error })
}

/** Clients come in and write, unless it is drained: then `giveWritesBack` does that. */
async function letIn(session: Session, database: string): Promise<void> {
  const { faults } = await databaseSeen(session, database)
  if (faults.length === 0 || (await drainOf(session, database)) !== 'none') return
  await session.query(`ALTER DATABASE ${quoted(database)} ALLOW_CONNECTIONS true CONNECTION LIMIT -1`)
  await session.query(`ALTER DATABASE ${quoted(database)} RESET default_transaction_read_only`)
}

/** Who owned it has nothing of it by that any more; what is that role's own within it stays. */
async function changeOwner(session: Session, database: string, owner: string): Promise<void> {
  const before = await session.value('SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = $1', [database])
  if (before === owner) return
  if (before !== adminRole) await session.query(`REVOKE ALL ON SCHEMA public FROM ${quoted(String(before))}`)
  await session.query(`ALTER DATABASE ${quoted(database)} OWNER TO ${quoted(owner)}`)
}
