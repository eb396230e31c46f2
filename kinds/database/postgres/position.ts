import { z } from 'zod'
import type { Row } from './server.ts'

/** How far a server has come: the timeline it is on, and how much of the write-ahead log it has, in bytes. */
export const Position = z.object({ timeline: z.number(), lsn: z.number() })
export type Position = z.infer<typeof Position>

/**
 * The columns `recovering`, `timeline` and `lsn` of one server. A primary's timeline is the one it writes to now: that
 * of its last checkpoint is the old one for minutes after a promotion. A replica has what it received or replayed,
 * whichever is more; its timeline is the newest of which it has any log.
 */
export const positionSql = `SELECT pg_is_in_recovery() AS recovering,
  CASE WHEN pg_is_in_recovery() THEN greatest(
      (SELECT timeline_id FROM pg_control_checkpoint()),
      (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
      (SELECT received_tli FROM pg_stat_wal_receiver),
      (SELECT max(('x' || substr(name, 1, 8))::bit(32)::int) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'))
    ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END AS timeline,
  (CASE WHEN pg_is_in_recovery() THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
    ELSE pg_current_wal_lsn() END) - '0/0'::pg_lsn AS lsn`

export function positionOf(row: Row): Position {
  return { timeline: Number(row.timeline), lsn: Number(row.lsn ?? 0) }
}

/** Below 0 where `a` has less than `b`: a later timeline counts more than any length of an earlier one. */
export function comparePositions(a: Position, b: Position): number {
  return a.timeline - b.timeline || a.lsn - b.lsn
}

/** As PostgreSQL writes it: `0/3000028`. */
export function lsnText(lsn: number): string {
  const [high, low] = [Math.floor(lsn / 2 ** 32), lsn % 2 ** 32]
  return `${high.toString(16)}/${low.toString(16)}`.toUpperCase()
}

export function lsnOf(text: string): number {
  const [high = '0', low = '0'] = text.split('/')
  return Number.parseInt(high, 16) * 2 ** 32 + Number.parseInt(low, 16)
}

export function positionText({ timeline, lsn }: Position): string {
  return `${lsnText(lsn)} of timeline ${timeline}`
}
