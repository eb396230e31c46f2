import type { Observation } from '../../../shared/model/observation.ts'
import type { World } from '../../contract/kind.ts'
import type { BackupSummary } from '../api/backup.ts'
import { archivesOf } from '../archive/archives.ts'
import { bytesAt } from '../archive/chain.ts'
import { InstanceAttributes, restoredMaterial } from '../inputs.ts'
import { type ArchiveSeen, archiveObservation, type Drops } from '../plan/archived.ts'
import type { ResourceData } from '../plan/operations/operations.ts'
import type { RestoreRequest, Strategy } from '../plan/strategy.ts'
import { type Address, type Machines, openSession, type Session } from '../postgres/server.ts'
import { writtenSince } from '../postgres/written-since.ts'
import type { Server } from './servers.ts'

/** So long it is counted what a restore drops, of each node. */
const countMs = 2000

interface Found {
  deployment: string
  instances: readonly ResourceData[]
  primaries: ReadonlyMap<string, Server>
}

/**
 * The archives that a plan or a verdict may need to know: of this deployment's nodes, and of those that
 * something is restored from.
 */
export async function archivesAsFound(
  strategy: Strategy,
  found: Found,
  { stores, provider, closely, observer, recorded }: World,
): Promise<Observation[]> {
  const actual = found.instances.map(({ attributes }) => InstanceAttributes.parse(attributes))
  const kept = actual.flatMap(({ node, backup }) => (closely && backup !== undefined ? [node] : []))
  const asked = strategy.nodes
    .filter(({ instances }) => instances?.some(({ instance }) => instance.attributes.backup !== undefined))
    .map(({ node_name }) => node_name)
  const archived = [...new Set([...asked, ...kept])]
  const restores = Object.values(strategy.restores)
  if (archived.length === 0 && restores.length === 0) return []
  const deployments = new Set([...restores.map(({ deployment }) => deployment), found.deployment])
  const seen: Observation[] = []
  for (const deployment of deployments) {
    const backups = await archivesOf(stores).summaries(deployment)
    const isOurs = deployment === found.deployment
    const nodes = new Set([...backups.map(({ node }) => node), ...(isOurs ? archived : [])])
    for (const node of [...nodes].sort()) {
      const at = isOurs ? addressOf(found, node) : undefined
      const now = await writing(provider, at)
      const request = strategy.restores[node]
      const isDone = recorded.materials.some(
        ({ id, attributes }) => id === restoredMaterial(node) && attributes.key === request?.key,
      )
      const drops = at && request && !isDone ? await dropsOf(provider, at, { request, backups, end: now.end }) : null
      const own = backups.filter((backup) => backup.node === node)
      const archive = { deployment, node, ...now, ...(drops === null ? {} : { drops }), backups: own }
      seen.push(archiveObservation(archive, { at: Date.now(), observer }))
    }
  }
  return seen
}

function addressOf({ instances, primaries }: Found, node: string): InstanceAttributes | undefined {
  const primary = instances.find(({ identifier }) => identifier.id === primaries.get(node)?.instance)
  return primary && InstanceAttributes.parse(primary.attributes)
}

interface Back {
  request: RestoreRequest
  backups: readonly BackupSummary[]
  end: string | null
}

/** What a server drops with a restore, by its own word; null where it does not say. */
async function dropsOf(machines: Machines, at: InstanceAttributes, back: Back): Promise<Drops | null> {
  const { target } = back.request
  if (target.type === 'lsn') {
    return back.end === null ? null : { bytes: Math.max(0, bytesAt(back.end) - bytesAt(target.value)) }
  }
  try {
    const session = await openSession(machines, at, at.database_name, { timeoutMs: countMs * 2 })
    try {
      const moment = await momentOf(session, back)
      return moment === null ? null : await writtenSince(session, moment, countMs)
    } finally {
      await session.close()
    }
  } catch {
    return null
  }
}

/** Null: there is none, as for the end of the archive, or the server does not know it any more. */
async function momentOf(session: Session, { request: { target, node, set }, backups }: Back): Promise<Date | null> {
  if (target.type === 'time') return new Date(target.value)
  if (target.type === 'xid') {
    const at = await session.value(
      `SELECT floor(extract(epoch FROM pg_xact_commit_timestamp(($1::bigint % 4294967296)::text::xid)) * 1000)::text`,
      [target.value],
    )
    return at === null ? null : new Date(Number(at))
  }
  if (target.type !== 'immediate') return null
  const fits = (one: BackupSummary) =>
    one.until !== null && (node === null || one.node === node) && (set === null || one.id === set)
  const backup = backups.findLast(fits)
  return backup ? new Date(backup.from) : null
}

type Writing = Pick<ArchiveSeen, 'line' | 'now' | 'nextXid' | 'end'>
const unknown: Writing = { line: null, now: null, nextXid: null, end: null }

async function writing(machines: Machines, at: Address | undefined): Promise<Writing> {
  if (!at) return unknown
  try {
    const session = await openSession(machines, at, 'postgres', { timeoutMs: 1500 })
    try {
      const table = await session.value(`SELECT to_regclass('remodel.archive')::text`)
      const line = table === null ? null : await session.value('SELECT line FROM remodel.archive')
      const [row] = await session.query(
        `SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::text AS now,
           pg_snapshot_xmax(pg_current_snapshot())::text AS xid, pg_current_wal_insert_lsn()::text AS lsn`,
      )
      const { now, xid, lsn } = row!
      return { line: line === null ? null : String(line), now: Number(now), nextXid: String(xid), end: String(lsn) }
    } finally {
      await session.close()
    }
  } catch {
    return unknown
  }
}
