import type { Blobstore } from '../../../../../shared/blobstore/blobstore.ts'
import { failpoint } from '../../../../../shared/failpoint.ts'
import type { Member } from '../../../../../shared/kinds/database.ts'
import type { Archives } from '../../../../../shared/postgres/archive/archives.ts'
import { lsnOf, segmentAt, segmentOf, switches, timelineOf } from '../../../../../shared/postgres/archive/chain.ts'
import { archiveSlot } from '../../../../../shared/postgres/names.ts'
import { type Machines, openSession, type Session } from '../../../../../shared/postgres/server.ts'
import type { Connection } from '../../../../../shared/provider/connection.ts'
import type { Provider } from '../../../../../shared/provider/provider.ts'
import { gather } from '../server/data.ts'
import { place } from '../server/place.ts'
import { lineOf } from './line.ts'

export interface Shipping {
  provider: Provider
  blobs: Blobstore
  archives: Archives
  signal: AbortSignal
}

export interface Shipped {
  line: string
  files: number
  /** The next transaction; unchanged since the last time: nobody has written anything. */
  nextXid: string
}

interface Source {
  deployment: string
  node: string
  primary: Member
  members: readonly Member[]
}

/**
 * Puts what the primary has finished of its log, and the archive does not have, into the blobstore. Null where the server does
 * not archive. May be cut off anywhere and done by any number at once: bytes are named by their content, entries never change.
 *
 *   in the log  -- read, packed, put -->  blob  -- entered -->  archived  -- slots moved -->  may go from the servers
 *
 * Every server of the node keeps the log, by a slot of its own, until it is archived, so who takes over has what the old primary
 * had not shipped. A server without that slot is left alone: it is being restored, and what it writes belongs to no line yet.
 *
 * @param seal ends the file of the log that is being written, so that everything written before is archived.
 */
export async function shipLog(
  tools: Shipping,
  of: Source,
  seal: (nextXid: string) => boolean,
): Promise<Shipped | null> {
  const { deployment, node, primary, members } = of
  const session = await openSession(tools.provider, primary, 'postgres', { name: 'remodel archive' })
  try {
    const kept = await session.value(
      'SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = $1 AND NOT pg_is_in_recovery()',
      [archiveSlot],
    )
    if (kept === null) return null
    const line = await lineOf(session)
    const name = { node, line }
    await tools.archives.beginLine(deployment, { ...name, since: Date.now() })
    const xid = async () => String(await session.value('SELECT pg_snapshot_xmax(pg_current_snapshot())::text'))
    const sealed = seal(await xid()) ? await sealFile(session) : null
    const nextXid = await xid()
    const { finished, histories, end } = await finishedFiles(session, segmentAt(String(kept)))
    for (const [file, text] of histories) await tools.archives.addFile(deployment, name, file, { text })
    const lacking = await tools.archives.lacking(deployment, name, finished)
    if (lacking.length > 0) {
      const connection = await tools.provider.connect(primary.vm, null)
      try {
        for (const file of lacking) await shipFile(tools, connection, deployment, name, file)
      } finally {
        connection.close()
      }
    }
    if (sealed) await tools.archives.seal(deployment, name, sealed.file, sealed.at)
    await Promise.all(members.map((member) => letGo(tools.provider, member, line, lsnOf(end)).catch(() => {})))
    return { line, files: lacking.length, nextXid }
  } finally {
    await session.close()
  }
}

/** A commit of its own: who restores to a time before it finds a later one, and knows that it is there. */
async function sealFile(session: Session): Promise<{ file: string; at: number }> {
  const at = Number(await session.value('SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::text'))
  await session.query('SELECT pg_current_xact_id()')
  const file = await session.value('SELECT pg_walfile_name(pg_switch_wal() - 1)')
  return { file: String(file), at }
}

/** Files that are written to no more, from segment `from` on; `end`: the segment that is being written. */
async function finishedFiles(session: Session, from: number) {
  const current = String(await session.value('SELECT pg_walfile_name(pg_current_wal_flush_lsn())'))
  const [timeline, end] = [timelineOf(current), segmentOf(current)]
  const names = (await session.query('SELECT name FROM pg_ls_waldir()')).map((row) => String(row.name)).sort()
  const histories: [string, string][] = []
  for (const name of names.filter((one) => /^[0-9A-F]{8}\.history$/.test(one) && timelineOf(one) <= timeline)) {
    histories.push([name, String(await session.value('SELECT pg_read_file($1)', [`pg_wal/${name}`]))])
  }
  const left = switches(histories.find(([name]) => timelineOf(name) === timeline)?.[1] ?? '')
  const before = (file: string) =>
    timelineOf(file) === timeline ? end : (left.find((one) => one.timeline === timelineOf(file))?.left ?? 0)
  const finished = names
    .filter((name) => /^[0-9A-F]{24}$/.test(name) && segmentOf(name) >= from && segmentOf(name) < before(name))
    .sort((a, b) => segmentOf(a) - segmentOf(b))
  return { finished, histories, end }
}

async function shipFile(
  { blobs, archives, signal }: Shipping,
  connection: Connection,
  deployment: string,
  line: { node: string; line: string },
  file: string,
): Promise<void> {
  const packed = await gather(connection, `gzip -1 -n -c '${place.data}/pg_wal/${file}'`, signal)
  const { digest, size } = await blobs.put(packed)
  await failpoint('archive.put')
  await archives.addFile(deployment, line, file, { digest, bytes: size })
  await failpoint('archive.entered')
}

/** The server need not keep what is before `lsn` for the archive, if its data is of this line. */
async function letGo(machines: Machines, member: Member, line: string, lsn: string): Promise<void> {
  const session = await openSession(machines, member, 'postgres', { name: 'remodel archive', timeoutMs: 2000 })
  try {
    if ((await session.value('SELECT line FROM remodel.archive')) !== line) return
    await session.query(
      `SELECT pg_replication_slot_advance(slot_name, $2::pg_lsn) FROM pg_replication_slots
       WHERE slot_name = $1 AND NOT active AND restart_lsn < $2::pg_lsn`,
      [archiveSlot, lsn],
    )
  } finally {
    await session.close()
  }
}
