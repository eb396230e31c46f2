import type { Connection } from '../../../shared/provider/connection.ts'
import type { Provider } from '../../../shared/provider/provider.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { Stores } from '../../contract/stores.ts'
import { type Archives, archivesOf } from '../archive/archives.ts'
import { lsnOf, segmentAt, segmentOf, switches, timelineOf } from '../archive/chain.ts'
import type { LineName } from '../archive/log-index.ts'
import type { Moment, Seal } from '../archive/sealing.ts'
import type { Member } from '../inputs.ts'
import { archiveSlot } from '../postgres/names.ts'
import { openSession, type Session } from '../postgres/server.ts'
import { gather } from '../server/data.ts'
import { place } from '../server/place.ts'
import { lineOf } from './line.ts'

export interface Shipping {
  provider: Provider
  stores: Stores
  signal: AbortSignal
}

export interface Shipped {
  line: string
  files: number
}

interface Source {
  deployment: string
  node: string
  primary: Member
  members: readonly Member[]
}

/** When the file of the log that is being written is ended, so that everything written before is archived. */
export interface Sealing {
  due(last: Seal | null, now: Moment): boolean
  /** How often that is asked for, in milliseconds. */
  everyMs: number
}

/** A server answers within this, or does not answer. */
const answerMs = 15_000

/**
 * Puts what the primary has finished of its log, and the archive does not have, into the blobstore. Null where
 * the server does not archive. May be cut off anywhere and done by any number at once: bytes are named by their
 * content, entries never change.
 *
 *   in the log  -- read, packed, put -->  blob  -- entered -->  archived  -- slots moved -->  may go from the servers
 *
 * Every server of the node keeps the log, by a slot of its own, until it is archived, so who takes over has what the
 * old primary had not shipped. A server without that slot is left alone: it is being restored, and what it writes
 * belongs to no line yet.
 *
 * A seal is recorded before anything of it is shipped: while the blobstore is away no file is ended a second time.
 */
export async function shipLog(tools: Shipping, source: Source, sealing: Sealing): Promise<Shipped | null> {
  const { deployment, node, primary, members } = source
  const archives = archivesOf(tools.stores)
  const { signal } = tools
  const session = await openSession(tools.provider, primary, 'postgres', {
    name: 'remodel archive',
    limitMs: answerMs,
    signal,
  })
  try {
    const kept = await session.value(
      'SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = $1 AND NOT pg_is_in_recovery()',
      [archiveSlot],
    )
    if (kept === null) return null
    const line = await lineOf(session)
    const of = { deployment, node, line }
    await archives.beginLine(deployment, { node, line, since: Date.now() })
    const last = await archives.lastSeal(of)
    const now = await momentOf(session)
    let seal = last
    if (sealing.due(last, now)) {
      seal = { ...(await sealFile(session)), archivedAt: last?.archivedAt ?? null, everyMs: sealing.everyMs }
      await archives.sealed(of, seal)
      await failpoint('archive.sealed')
    }
    const { finished, histories, end } = await finishedFiles(session, segmentAt(String(kept)))
    for (const [file, text] of histories) await archives.addFile(of, file, { text })
    const lacking = await archives.lacking(of, finished)
    if (lacking.length > 0) {
      const connection = await tools.provider.connect(primary.vm, null)
      try {
        for (const file of lacking) await shipFile(tools, connection, of, file)
      } finally {
        connection.close()
      }
    }
    if (seal && seal.archivedAt !== seal.at) await settle(archives, of, seal)
    await Promise.all(members.map((member) => letGo(tools, member, line, lsnOf(end)).catch(() => {})))
    await archives.pack(of)
    return { line, files: lacking.length }
  } finally {
    await session.close()
  }
}

/** By the server's own clock, and what it knows of transactions. */
async function momentOf(session: Session): Promise<Moment> {
  const [row] = await session.query(
    'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::text AS at, pg_current_snapshot()::text AS snapshot',
  )
  return { at: Number(row!.at), snapshot: String(row!.snapshot) }
}

/**
 * A commit of its own: who restores to a time before it finds a later one, and knows that it is there. What the server
 * knew behind that commit, and before the file was ended, tells later whether anything was written since.
 */
async function sealFile(session: Session): Promise<Pick<Seal, 'file' | 'at' | 'snapshot'>> {
  const { at } = await momentOf(session)
  await session.query('SELECT pg_current_xact_id()')
  const { snapshot } = await momentOf(session)
  const file = await session.value('SELECT pg_walfile_name(pg_switch_wal() - 1)')
  return { file: String(file), at, snapshot }
}

/**
 * The seal counts once its file is here. A primary that was lost with it sealed in vain: the next one is due at once.
 */
async function settle(archives: Archives, of: LineName, seal: Seal): Promise<void> {
  if ((await archives.lacking(of, [seal.file])).length === 0) await archives.archived(of, seal)
  else await archives.sealed(of, { ...seal, snapshot: '' })
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
  { stores, signal }: Shipping,
  connection: Connection,
  of: LineName,
  file: string,
): Promise<void> {
  const packed = await gather(connection, `gzip -1 -n -c '${place.data}/pg_wal/${file}'`, signal)
  const { digest, size } = await stores.blobs.put(packed)
  await failpoint('archive.put')
  signal.throwIfAborted()
  await archivesOf(stores).addFile(of, file, { digest, bytes: size })
  await failpoint('archive.entered')
}

/** The server need not keep what is before `lsn` for the archive, if its data is of this line. */
async function letGo({ provider, signal }: Shipping, member: Member, line: string, lsn: string): Promise<void> {
  const session = await openSession(provider, member, 'postgres', { name: 'remodel archive', timeoutMs: 2000, signal })
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
