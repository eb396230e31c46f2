import { RemodelError, toError } from '../../../../shared/runtime/errors.ts'
import type { StatementOutcome } from '../../api/statements.ts'
import { runAs } from '../as-role.ts'
import { tablesLock } from '../locks.ts'
import { settleSql } from '../own-settings.ts'
import { shareOwnSequences } from '../sequences.ts'
import type { Session } from '../server.ts'
import { takeTablesIn } from './take-in.ts'

/** A statement that waits for a table keeps all that come after it waiting. */
const lockMs = 5000
/** The statements have ended the transaction themselves: what came before that may be there. */
const noTransaction = '25P01'

/**
 * Statements on several nodes: in one transaction on each, which is committed where all nodes have carried them out;
 * where one refuses, none has them. Tables that they make are replicated, and sequences draw the node's own numbers,
 * from the first moment on.
 */
export async function runEverywhere(
  sessions: ReadonlyMap<string, Session>,
  sql: string,
  of: { owner: string; share: boolean; limitMs: number },
): Promise<StatementOutcome[]> {
  try {
    return await carriedOut(sessions, sql, of)
  } finally {
    // Not with each commit: a table is not on all nodes before the last one.
    const unlock = `SELECT pg_advisory_unlock(${tablesLock})`
    await Promise.all([...sessions.values()].map((session) => session.query(unlock).catch(() => {})))
  }
}

async function carriedOut(
  sessions: ReadonlyMap<string, Session>,
  sql: string,
  { owner, share, limitMs }: { owner: string; share: boolean; limitMs: number },
): Promise<StatementOutcome[]> {
  const nodes = [...sessions.keys()]
  for (const [node, session] of sessions) {
    try {
      await prepare(session, sql, { owner, limitMs })
      if (share) await shareOwnSequences(session, node)
    } catch (error) {
      await Promise.all([...sessions.values()].map((one) => one.query('ROLLBACK').catch(() => {})))
      const why = toError(error).message
      const ended = sqlstateOf(error) === noTransaction
      return nodes.map((one) => ({
        node: one,
        state: ended && one === node ? 'unknown' : 'undone',
        why: one === node ? why : `${node} refuses it`,
      }))
    }
  }
  const outcomes: StatementOutcome[] = []
  for (const [node, session] of sessions) {
    try {
      await session.query('COMMIT')
      outcomes.push({ node, state: 'done', why: null })
    } catch (error) {
      const state = sqlstateOf(error) === undefined ? 'unknown' : 'undone'
      outcomes.push({ node, state, why: toError(error).message })
    }
  }
  return outcomes
}

/** Of a server's refusal; undefined where the session itself has failed. */
const sqlstateOf = (error: unknown) => (error instanceof RemodelError ? error.details.sqlstate : undefined)

async function prepare(
  session: Session,
  sql: string,
  { owner, limitMs }: { owner: string; limitMs: number },
): Promise<void> {
  await session.query('BEGIN')
  await session.query(`SET LOCAL lock_timeout = ${lockMs}`)
  await session.query(`SELECT pg_advisory_lock(${tablesLock})`)
  await session.query(`SET LOCAL statement_timeout = ${limitMs}`)
  if (owner === '') {
    // PostgreSQL's own schema is no place for tables.
    await session.query(`SET LOCAL search_path = public; SET LOCAL restrict_nonsystem_relation_kind = ''`)
    await session.query('SAVEPOINT statements')
    await session.query(sql)
    // Fails where the statements have ended the transaction themselves.
    await session.query('RELEASE SAVEPOINT statements')
    await session.query(settleSql)
  } else await runAs(session, owner, [sql])
  await session.query(`SET LOCAL lock_timeout = ${lockMs}`)
  await session.query('SET LOCAL synchronous_commit = on')
  await takeTablesIn(session)
}
