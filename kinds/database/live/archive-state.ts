import type { Archives } from '../archive/archives.ts'
import { isLate } from '../archive/sealing.ts'
import type { Session } from '../postgres/server.ts'

/** How far the archive of a node is, against what its primary has written. */
export interface ArchiveState {
  /**
   * Everything that was committed up to then is archived, by the server's clock in milliseconds; null: nothing is yet.
   */
  archivedAt: number | null
  /** Something has been waiting for the archive for long. */
  late: boolean
}

/** How many transactions are looked through for the first one that is not archived. */
const looked = 200

/** Asks a primary, and the archive. Null where the server belongs to no line yet. */
export async function archiveState(
  session: Session,
  { deployment, node }: { deployment: string; node: string },
  archives: Archives,
): Promise<ArchiveState | null> {
  if ((await session.value(`SELECT to_regclass('remodel.archive')::text`)) === null) return null
  const line = await session.value('SELECT line FROM remodel.archive')
  if (line === null) return null
  const seal = await archives.lastSeal({ deployment, node, line: String(line) })
  if (!seal) return { archivedAt: null, late: false }
  const first = /^(\d+):/.exec(seal.snapshot)?.[1]
  const [row] = await session.query(
    `SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::text AS now,
       (SELECT floor(extract(epoch FROM min(at)) * 1000)::text FROM (
          SELECT pg_xact_commit_timestamp((number % 4294967296)::text::xid) AS at
          FROM generate_series($1::bigint, least(pg_snapshot_xmax(pg_current_snapshot())::text::bigint, $1::bigint + ${looked}) - 1) AS number
        ) AS since WHERE at > to_timestamp($2::double precision / 1000)) AS oldest`,
    [first ?? '3', seal.at],
  )
  const oldest = row!.oldest === null ? null : Number(row!.oldest)
  return { archivedAt: seal.archivedAt, late: isLate(seal, oldest, Number(row!.now)) }
}
