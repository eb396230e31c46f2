import { setTimeout as sleep } from 'node:timers/promises'
import { InstanceAttributes } from '../inputs.ts'
import type { ResourceData } from '../plan/operations/operations.ts'
import { type DatabaseSeen, databaseSeen, publicationFault } from '../postgres/database-seen.ts'
import { type Drain, drainOf } from '../postgres/drain.ts'
import { type Incoming, incomingOf } from '../postgres/links/incoming.ts'
import { endOfLog } from '../postgres/links/server-log.ts'
import { isReplicated, misplacedIn, type Table, tablesOf } from '../postgres/links/tables.ts'
import { takingInFault } from '../postgres/links/take-in.ts'
import { adminRole, archiveSlot, publication } from '../postgres/names.ts'
import { type Position, positionOf, positionSql } from '../postgres/position.ts'
import { rolesAmiss } from '../postgres/roles.ts'
import { unsharedOf } from '../postgres/sequences.ts'
import { type Address, type Machines, openSession, type Session } from '../postgres/server.ts'
import { notInEffectSql } from '../postgres/settings.ts'
import { startedSql } from '../postgres/started.ts'
import { servesTlsSql, verifying } from '../postgres/tls.ts'

interface Subscription {
  name: string
  enabled: boolean
  missingTables: number
  asAdmin: boolean
  /** How far it has come in its provider's log; null: it has got nothing yet. */
  received: number | null
  /**
   * It reads the slot of its own name, all that the publication has, and nothing that came from other nodes; what it
   * writes runs as its table's owner.
   */
  asMade: boolean
  /** It checks the certificate of its provider. */
  checks: boolean
  /** `<address>:<port>` of the servers that it knows. */
  servers: string[]
}

/** A slot that keeps much of the log, in bytes. */
export interface Keeping {
  slot: string
  bytes: number
  /** So much more may be written before the slot is ended; null: it is never. */
  left: number | null
}

/** What one server says of itself. */
export interface Server {
  instance: string
  node: string
  recovering: boolean
  /** When it was started, by its own word: another one every time. */
  started: string
  /** How far it has come. */
  position: Position
  /** A replica: how far behind its primary, in bytes; null where it follows no server. */
  lagBytes: number | null
  physicalSlots: string[]
  /** What its commits wait for: `synchronous_standby_names`. */
  waitsFor: string
  /** A primary: its database. */
  database: DatabaseSeen
  /** It is archived and keeps no log for that. */
  unarchived: boolean
  /** It takes TLS with the certificate that Remodel has given it. */
  tls: boolean
  /** A replica: it checks the certificate of the one that it follows. */
  checks: boolean
  /** Settings that it does not have as its files say, or that were set by hand. */
  notInEffect: string[]
  /** A primary: roles that are not as the document has them. */
  amiss: string[]
  /** Logical slots: of a primary those of the database, of a replica those it keeps a copy of. */
  slots: string[]
  /** A primary: slots of the database from which nothing can be read any more -> why. */
  invalid: ReadonlyMap<string, string>
  /** A primary: slots of the database that no server reads at this moment. */
  idle: readonly string[]
  /** A primary: whether the writes of its database were stopped, as it was to be removed. */
  drain: Drain
  subscriptions: Subscription[]
  /** Slots and how much of the log each keeps. */
  keeping: Keeping[]
  /** A primary: what it reads from other nodes. */
  incoming: Incoming[]
  /** A primary: tables of its database that other nodes are to have too. */
  tables: Table[]
  /** A primary: tables in the schema that is Remodel's own: no other node gets their rows. */
  misplaced: string[]
  /** A primary: sequences by which it may draw a number that another node draws. */
  unshared: string[]
}

/** A server that is just being started by its supervisor gets another chance. */
const tries = 4

const copies = `SELECT slot_name FROM pg_replication_slots
  WHERE slot_type = 'logical' AND synced AND NOT temporary AND invalidation_reason IS NULL`

/** Asks a server; null where it does not answer. Reads only. */
export async function askServer(machines: Machines, resource: ResourceData): Promise<Server | null> {
  const { vm, address, port, node, database_name, settings, users, backup } = InstanceAttributes.parse(
    resource.attributes,
  )
  const at = { vm, address, port }
  for (let n = 1; ; n++) {
    try {
      const session = await openSession(machines, at, 'postgres', { timeoutMs: 1500 })
      try {
        const [own] = await session.query(positionSql)
        const behind = await session.value(
          'SELECT latest_end_lsn - pg_last_wal_replay_lsn() FROM pg_stat_wal_receiver WHERE status = $1',
          ['streaming'],
        )
        const started = String(await session.value(startedSql))
        const slots = await names(session, `SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'physical'`)
        const recovering = own!.recovering === true
        const given = Object.keys(settings).map((name) => name.toLowerCase())
        const notInEffect = (await session.query(notInEffectSql, [given])).map(({ name }) => String(name))
        return {
          instance: resource.identifier.id,
          node,
          recovering,
          started,
          position: positionOf(own!),
          lagBytes: behind === null ? null : Math.max(0, Number(behind)),
          physicalSlots: slots,
          notInEffect,
          keeping: await keepingOf(session),
          tls: (await session.value(servesTlsSql)) === true,
          checks: String(await session.value(`SELECT current_setting('primary_conninfo')`)).includes(verifying),
          waitsFor: String(await session.value(`SELECT current_setting('synchronous_standby_names')`)),
          unarchived: backup !== undefined && !slots.includes(archiveSlot),
          drain: recovering ? 'none' : await drainOf(session, database_name),
          amiss: recovering ? [] : await rolesAmiss(session, users),
          ...(recovering
            ? {
                slots: await names(session, copies),
                invalid: new Map(),
                idle: [],
                subscriptions: [],
                incoming: [],
                tables: [],
                misplaced: [],
                unshared: [],
                database: await databaseSeen(session, database_name),
              }
            : {
                ...(await linksOf(machines, at, { database: database_name, node })),
                incoming: await incomingOf(session, database_name, () => endOfLog(machines, vm)),
              }),
        }
      } finally {
        await session.close()
      }
    } catch {
      if (n === tries) return null
      await sleep(250)
    }
  }
}

async function keepingOf(session: Session): Promise<Keeping[]> {
  const rows = await session.query(
    `SELECT slot_name AS slot, safe_wal_size AS left, (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)
       - restart_lsn AS bytes FROM pg_replication_slots WHERE NOT temporary AND NOT synced AND invalidation_reason IS NULL AND restart_lsn IS NOT NULL`,
  )
  return rows.map(({ slot, bytes, left }) => ({
    slot: String(slot),
    bytes: Number(bytes),
    left: left === null ? null : Number(left),
  }))
}

/** From outside, so that a database that lets no session in has its links too; what it holds is asked inside. */
async function linksOf(machines: Machines, at: Address, { database, node }: { database: string; node: string }) {
  const session = await openSession(machines, at, 'postgres', { timeoutMs: 1500 })
  try {
    const seen = await databaseSeen(session, database)
    if (!seen.there)
      return {
        slots: [],
        invalid: new Map<string, string>(),
        idle: [],
        subscriptions: [],
        tables: [],
        misplaced: [],
        unshared: [],
        database: seen,
      }
    const all = await session.query(
      `SELECT slot_name, invalidation_reason AS why, active FROM pg_replication_slots
       WHERE slot_name LIKE 'remodel\\_%' AND database = $1`,
      [database],
    )
    const slots = all.filter(({ why }) => why === null).map(({ slot_name }) => String(slot_name))
    const invalid = new Map(
      all.filter(({ why }) => why !== null).map(({ slot_name, why }) => [String(slot_name), String(why)]),
    )
    const idle = all.filter(({ active }) => active !== true).map(({ slot_name }) => String(slot_name))
    const rows = await session.query(
      `SELECT subname, subenabled, subconninfo, subconninfo LIKE '%user=${adminRole} %' AS as_admin,
         subslotname IS NOT DISTINCT FROM subname AND subpublications = ARRAY['${publication}'] AND suborigin = 'none' AND NOT subrunasowner AS as_made,
         (SELECT remote_lsn - '0/0' FROM pg_replication_origin_status WHERE external_id = 'pg_' || s.oid) AS received
       FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid WHERE subname LIKE 'remodel\\_%' AND datname = $1`,
      [database],
    )
    const inside = seen.admin
      ? await insideOf(machines, at, { database, node })
      : { missing: new Map<string, number>(), faults: [], tables: [], misplaced: [], unshared: [] }
    const subscriptions = rows.map(
      ({ subname, subenabled, subconninfo, as_admin, as_made, received }): Subscription => ({
        name: String(subname),
        enabled: subenabled === true,
        missingTables: inside.missing.get(String(subname)) ?? 0,
        asAdmin: as_admin === true,
        asMade: as_made === true,
        checks: String(subconninfo).includes(verifying),
        servers: serversIn(String(subconninfo)),
        received: received === null ? null : Number(received),
      }),
    )
    const faults = [...seen.faults, ...inside.faults]
    const { tables, misplaced, unshared } = inside
    return { slots, invalid, idle, subscriptions, tables, misplaced, unshared, database: { ...seen, faults } }
  } finally {
    await session.close()
  }
}

/** Subscription -> how many tables it does not replicate; what is wrong with what replicates; tables and sequences. */
async function insideOf(machines: Machines, at: Address, { database, node }: { database: string; node: string }) {
  const session = await openSession(machines, at, database, { timeoutMs: 1500 })
  try {
    const rows = await session.query(
      `SELECT subname, (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE ${isReplicated} AND NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srsubid = s.oid AND
           (srrelid = c.oid OR srrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = c.oid)))) AS missing
       FROM pg_subscription s WHERE subname LIKE 'remodel\\_%' AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    )
    const missing = new Map(rows.map(({ subname, missing }) => [String(subname), Number(missing)]))
    return {
      missing,
      faults: [await publicationFault(session), await takingInFault(session)].filter((fault) => fault !== ''),
      tables: await tablesOf(session),
      misplaced: await misplacedIn(session),
      unshared: await unsharedOf(session, node),
    }
  } finally {
    await session.close()
  }
}

async function names(session: Session, sql: string): Promise<string[]> {
  return (await session.query(sql)).map((row) => String(row.slot_name))
}

function serversIn(conninfo: string): string[] {
  const list = (key: string) => new RegExp(`(?:^| )${key}=([^ ]*)`).exec(conninfo)?.[1]?.split(',') ?? []
  const ports = list('port')
  return list('host').map((host, at) => `${host}:${ports[at] ?? ports[0]}`)
}
