import { RemodelError } from '../../../shared/runtime/errors.ts'
import { literal, quoted, type Session } from './server.ts'

/**
 * Gives a role what PostgreSQL stores of its password; null: none. The statement holds the verifier, so the server is
 * asked to log no statement of this session, and the error of a refusal says no more than which role it was.
 */
export async function setPassword(session: Session, role: string, verifier: string | null): Promise<void> {
  await session.query(
    `SELECT set_config(name, value, false) FROM (VALUES ('log_statement', 'none'), ('log_min_error_statement', 'panic'),
       ('log_min_duration_statement', '-1'), ('log_min_duration_sample', '-1'), ('log_transaction_sample_rate', '0'),
       ('track_activities', 'off')) AS quiet (name, value)`,
  )
  try {
    await session.query(`ALTER ROLE ${quoted(role)} PASSWORD ${verifier === null ? 'NULL' : literal(verifier)}`)
  } catch (error) {
    const { code, details } = error as RemodelError
    if (!(error instanceof RemodelError) || code !== 'infrastructure') throw error
    const { sqlstate } = details
    throw new RemodelError('infrastructure', `the server did not take the password of role ${role}`, {
      details: sqlstate === undefined ? {} : { sqlstate },
    })
  }
}
