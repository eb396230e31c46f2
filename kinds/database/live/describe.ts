import type { ActualMaterial } from '../../../shared/model/material.ts'
import type { InstanceView, Looking } from '../../contract/kind.ts'
import type { DatabaseInstance } from '../api/instance.ts'
import type { DatabaseServer } from '../api/server.ts'
import { archivesOf } from '../archive/archives.ts'
import { Certified, InstanceAttributes } from '../inputs.ts'
import { askMachine } from '../inspection/machines.ts'
import { readerOf } from '../plan/texts.ts'
import { type Address, openSession, type Session } from '../postgres/server.ts'
import { archiveState } from './archive-state.ts'
import { stoppedLinksOf } from './stopped-links.ts'

/** Long enough for a busy server, short enough that a frozen one does not hold up the table. */
const timeoutMs = 2000

const positions = `SELECT pg_is_in_recovery() AS recovering,
  (CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
   ELSE pg_current_wal_lsn() END) - '0/0' AS received,
  (SELECT latest_end_lsn - pg_last_wal_replay_lsn() FROM pg_stat_wal_receiver WHERE status = 'streaming') AS lag`

/**
 * A reader that has confirmed everything is behind by no time. Of one that has not, the server measures nothing
 * until the reader confirms something (a large transaction is confirmed when it is applied as a whole): no number
 * is made up for it then.
 */
const readers = `SELECT slot_name, coalesce(active, false) AS connected, pg_current_wal_lsn() - confirmed_flush_lsn AS lag,
    CASE WHEN NOT active THEN NULL WHEN confirmed_flush_lsn >= pg_current_wal_lsn() THEN 0
      WHEN replay_lag IS NOT NULL THEN extract(epoch FROM greatest(replay_lag, clock_timestamp() - reply_time)) END AS seconds
  FROM pg_replication_slots LEFT JOIN pg_stat_replication ON pid = active_pid
  WHERE slot_type = 'logical' AND slot_name LIKE $1 ORDER BY slot_name`

const running = `SELECT current_setting('server_version') AS version,
    floor(extract(epoch FROM pg_postmaster_start_time()) * 1000)::text AS started,
    (SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep') AS waiting`

const slots = `SELECT slot_name, coalesce(active, false) AS connected, greatest(0, coalesce(
    (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END) - restart_lsn, 0)) AS kept
  FROM pg_replication_slots WHERE NOT temporary ORDER BY slot_name`

type Facts = Omit<DatabaseServer, 'database' | 'port' | 'node' | 'host' | 'kept' | 'disk' | 'closed' | 'tls'>

/**
 * A server's own word on its role and how far it is. `running`: it takes writes, or follows who does; `failing`: a
 * replica that follows no server; `unresponsive`: its process runs and it does not answer.
 */
export async function describe(
  { attributes, meta }: ActualMaterial,
  seen: InstanceView,
  looking: Looking,
): Promise<DatabaseInstance> {
  const {
    address,
    port,
    node,
    host_id: host,
    database_name: database,
    vm,
    backup,
    tls,
  } = InstanceAttributes.parse(attributes)
  const archived = backup !== undefined
  const known = { ...seen, vm, addresses: [address] }
  const missing = seen.state === 'missing'
  const [facts, machine] = await Promise.all([
    missing ? null : ask(looking, { vm, address, port }, { node, database, archived }).catch(() => null),
    missing ? null : askMachine(looking.provider, vm, timeoutMs),
  ])
  // The disk of a machine that does not answer has what was recorded last.
  const kept = machine === null || machine.silent ? recordedKept(meta.kept) : machine.kept
  const own = {
    database,
    port,
    node,
    host,
    kept,
    closed: machine?.closed ?? '',
    disk: machine?.disk ?? null,
    tls: tls ? { mode: tls.mode, ...certificateOf(meta.certificate) } : null,
  }
  if (facts === null) {
    const positions = { role: null, receivedBytes: null, lagBytes: null, peers: [], stopped: [], archive: null }
    const silent = { ...positions, version: null, startedAt: null, waitingCommits: null, slots: [] }
    const state = seen.state === 'running' ? 'unresponsive' : seen.state
    return { ...known, state, database: { ...own, ...silent } }
  }
  const astray = facts.role === 'replica' && facts.lagBytes === null
  return { ...known, state: astray ? 'failing' : 'running', database: { ...own, ...facts } }
}

/** As it was recorded: a server that does not answer has it too. */
function certificateOf(recorded: unknown): Omit<NonNullable<DatabaseServer['tls']>, 'mode'> {
  const known = Certified.safeParse(recorded)
  if (!known.success) return { begins: null, ends: null, ca: null }
  const { from, until, ca } = known.data
  return { begins: from, ends: until, ca }
}

function recordedKept(kept: unknown): string[] {
  return Array.isArray(kept) ? kept.map(String) : []
}

async function ask(
  looking: Looking,
  at: Address,
  { node, database, archived }: { node: string; database: string; archived: boolean },
): Promise<Facts> {
  const session = await openSession(looking.provider, at, 'postgres', { timeoutMs })
  try {
    const own = await factsOf(session, node)
    const stopped = own.role === 'primary' ? await stoppedLinksOf(session, { at, node, database }, looking) : []
    const facts = { ...own, stopped }
    if (!archived || facts.role !== 'primary') return { ...facts, archive: null }
    const { deployment, stores } = looking
    return { ...facts, archive: await archiveState(session, { deployment, node }, archivesOf(stores)) }
  } finally {
    await session.close()
  }
}

async function factsOf(session: Session, node: string): Promise<Omit<Facts, 'archive' | 'stopped'>> {
  const [row] = await session.query(positions)
  const { recovering, received, lag } = row!
  const [server] = await session.query(running)
  const kept = await session.query(slots)
  const more = {
    version: String(server!.version).split(' ')[0]!,
    startedAt: Number(server!.started),
    slots: kept.map(({ slot_name, connected, kept }) => ({
      reader: readerOf(String(slot_name), node),
      connected: connected === true,
      keptBytes: Number(kept),
    })),
  }
  const receivedBytes = received === null ? null : Number(received)
  if (recovering === true) {
    const lagBytes = lag === null || lag === undefined ? null : Math.max(0, Number(lag))
    return { role: 'replica', receivedBytes, lagBytes, peers: [], waitingCommits: null, ...more }
  }
  const rows = await session.query(readers, [`remodel\\_${node}\\_%`])
  const peers = rows.map(({ slot_name, connected, lag, seconds }) => ({
    node: String(slot_name).slice(`remodel_${node}_`.length),
    connected: connected === true,
    lagBytes: Math.max(0, Number(lag)),
    lagSeconds: seconds === null ? null : Number(seconds),
  }))
  return { role: 'primary', receivedBytes, lagBytes: null, peers, waitingCommits: Number(server!.waiting), ...more }
}
