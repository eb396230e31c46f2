import { setTimeout as sleep } from 'node:timers/promises'
import { InstanceAttributes } from '../../../../../shared/kinds/database.ts'
import { type Drain, drainOf } from '../../../../../shared/postgres/drain.ts'
import { type Incoming, incomingOf } from '../../../../../shared/postgres/links/incoming.ts'
import { endOfLog } from '../../../../../shared/postgres/links/server-log.ts'
import { isReplicated, type Table, tablesOf } from '../../../../../shared/postgres/links/tables.ts'
import { adminRole } from '../../../../../shared/postgres/names.ts'
import { type Position, positionOf, positionSql } from '../../../../../shared/postgres/position.ts'
import { rolesAmiss } from '../../../../../shared/postgres/roles.ts'
import { unsharedOf } from '../../../../../shared/postgres/sequences.ts'
import { type Address, type Machines, openSession, type Session } from '../../../../../shared/postgres/server.ts'
import { notInEffectSql } from '../../../../../shared/postgres/settings.ts'
import { startedSql } from '../../../../../shared/postgres/started.ts'
import type { ResourceData } from '../operations/operations.ts'

interface Subscription {
  name: string
  enabled: boolean
  missingTables: number
  asAdmin: boolean
  /** How far it has come in its provider's log; null: it has got nothing yet. */
  received: number | null
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
  /** A replica: how far behind its primary, in bytes; null where it follows nobody. */
  lagBytes: number | null
  physicalSlots: string[]
  /** Settings that it does not have as its files say, or that were set by hand. */
  notInEffect: string[]
  /** A primary: roles that are not as the document has them. */
  amiss: string[]
  /** Logical slots: of a primary those of the database, of a replica those it keeps a copy of. */
  slots: string[]
  /** A primary: slots of the database from which nothing can be read any more -> why. */
  invalid: ReadonlyMap<string, string>
  /** A primary: whether the writes of its database were stopped, as it was to be removed. */
  drain: Drain
  subscriptions: Subscription[]
  /** A primary: what it reads from other nodes. */
  incoming: Incoming[]
  /** A primary: tables of its database that other nodes are to have too. */
  tables: Table[]
  /** A primary: sequences by which it may draw a number that another node draws. */
  unshared: string[]
}

/** A server that is just being started by its supervisor gets another chance. */
const tries = 4

const copies = `SELECT slot_name FROM pg_replication_slots
  WHERE slot_type = 'logical' AND synced AND NOT temporary AND invalidation_reason IS NULL`

/** Asks a server; null where it does not answer. Reads only. */
export async function askServer(machines: Machines, resource: ResourceData): Promise<Server | null> {
  const { vm, address, port, node, database_name, settings, users } = InstanceAttributes.parse(resource.attributes)
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
          drain: recovering ? 'none' : await drainOf(session, database_name),
          amiss: recovering ? [] : await rolesAmiss(session, users),
          ...(recovering
            ? {
                slots: await names(session, copies),
                invalid: new Map(),
                subscriptions: [],
                incoming: [],
                tables: [],
                unshared: [],
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

async function linksOf(machines: Machines, at: Address, { database, node }: { database: string; node: string }) {
  const session = await openSession(machines, at, 'postgres', { timeoutMs: 1500 })
  try {
    const known = await session.value('SELECT 1 FROM pg_database WHERE datname = $1', [database])
    if (known === null)
      return { slots: [], invalid: new Map<string, string>(), subscriptions: [], tables: [], unshared: [] }
  } finally {
    await session.close()
  }
  const inside = await openSession(machines, at, database, { timeoutMs: 1500 })
  try {
    const all = await inside.query(
      `SELECT slot_name, invalidation_reason AS why FROM pg_replication_slots
       WHERE slot_name LIKE 'remodel\\_%' AND database = current_database()`,
    )
    const slots = all.filter(({ why }) => why === null).map(({ slot_name }) => String(slot_name))
    const invalid = new Map(
      all.filter(({ why }) => why !== null).map(({ slot_name, why }) => [String(slot_name), String(why)]),
    )
    const rows = await inside.query(
      `SELECT subname, subenabled, subconninfo LIKE '%user=${adminRole} %' AS as_admin,
         (SELECT remote_lsn - '0/0' FROM pg_replication_origin_status WHERE external_id = 'pg_' || s.oid) AS received, (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE ${isReplicated} AND NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srsubid = s.oid AND
           (srrelid = c.oid OR srrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = c.oid)))) AS missing
       FROM pg_subscription s WHERE subname LIKE 'remodel\\_%' AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    )
    const subscriptions = rows.map(
      ({ subname, subenabled, missing, as_admin, received }): Subscription => ({
        name: String(subname),
        enabled: subenabled === true,
        missingTables: Number(missing),
        asAdmin: as_admin === true,
        received: received === null ? null : Number(received),
      }),
    )
    return { slots, invalid, subscriptions, tables: await tablesOf(inside), unshared: await unsharedOf(inside, node) }
  } finally {
    await inside.close()
  }
}

async function names(session: Session, sql: string): Promise<string[]> {
  return (await session.query(sql)).map((row) => String(row.slot_name))
}
