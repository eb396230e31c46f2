import { linkPattern } from '../names.ts'
import type { Session } from '../server.ts'
import { type Failure, failuresIn, isOpen } from './failure.ts'

/** A subscription, as the server says that has it. */
export interface Incoming {
  /** The node that it reads from. */
  provider: string
  enabled: boolean
  /** How often it could not apply what it was sent. */
  errors: number
  /** What it cannot apply; null where it applies, and where the server's log does not tell. */
  failure: Failure | null
}

const sql = `SELECT s.subname AS name, s.subenabled AS enabled, 'pg_' || s.oid AS origin, coalesce(t.apply_error_count, 0)::int AS errors,
    greatest(o.remote_lsn, w.latest_end_lsn, '0/0')::text AS applied
  FROM pg_subscription s
  LEFT JOIN pg_stat_subscription_stats t ON t.subid = s.oid
  LEFT JOIN pg_replication_origin_status o ON o.external_id = 'pg_' || s.oid
  LEFT JOIN (SELECT subid, max(latest_end_lsn) AS latest_end_lsn FROM pg_stat_subscription WHERE worker_type = 'apply' GROUP BY subid) w
    ON w.subid = s.oid
  WHERE s.subname ~ '^remodel_n[0-9]+_n[0-9]+$' AND s.subdbid = (SELECT oid FROM pg_database WHERE datname = $1)
  ORDER BY s.subname`

/**
 * The subscriptions of a database on this server. The change that one cannot apply is read from the end of the
 * server's log, which is only asked for where something has failed. It is open as long as the position of what was
 * applied lies before it.
 */
export async function incomingOf(
  session: Session,
  database: string,
  readLog: () => Promise<string>,
): Promise<Incoming[]> {
  const rows = await session.query(sql, [database])
  const failed = rows.some(({ errors }) => Number(errors) > 0)
  const failures = failed ? failuresIn(await readLog().catch(() => '')) : new Map<string, Failure>()
  return rows.map(({ name, enabled, errors, origin, applied }) => {
    const failure = Number(errors) > 0 ? failures.get(String(origin)) : undefined
    return {
      provider: linkPattern.exec(String(name))![1]!,
      enabled: enabled === true,
      errors: Number(errors),
      failure: failure && isOpen(failure, String(applied)) ? failure : null,
    }
  })
}
