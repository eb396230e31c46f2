import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { StepContext } from '../../contract/step.ts'
import { quoted, type Session } from '../postgres/server.ts'

const stillUsed = '2BP01'

/**
 * Extensions are made as the admin role, with those that they rest on, since a user of the document may make few of
 * them. Throws `job-failed` for one that the server does not have. One that is to go stays where something rests on it:
 * no table or column is dropped.
 */
export async function makeExtensions(
  context: Pick<StepContext, 'say'>,
  session: Session,
  { extensions, goneExtensions }: { extensions: readonly string[]; goneExtensions: readonly string[] },
): Promise<void> {
  for (const name of extensions) {
    if ((await session.value('SELECT 1 FROM pg_extension WHERE extname = $1', [name])) !== null) continue
    if ((await session.value('SELECT 1 FROM pg_available_extensions WHERE name = $1', [name])) === null)
      throw new RemodelError('job-failed', `the server does not have the extension ${name}`)
    context.say(`making the extension ${name}`)
    await session.query('BEGIN')
    // It is made in the first schema of the path, where users of the document look.
    await session.query('SET LOCAL search_path = public, pg_temp')
    await session.query(`CREATE EXTENSION IF NOT EXISTS ${quoted(name)} CASCADE`)
    await session.query('COMMIT')
    await failpoint('set-up-database.extension')
  }
  for (const name of goneExtensions) {
    try {
      await session.query(`DROP EXTENSION IF EXISTS ${quoted(name)}`)
    } catch (error) {
      if (!(error instanceof RemodelError) || error.details.sqlstate !== stillUsed) throw error
      context.say(`the extension ${name} stays: something rests on it`)
    }
  }
}
