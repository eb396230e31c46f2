import type { Connection } from '../../../shared/provider/connection.ts'
import type { Target } from '../archive/chain.ts'
import type { InstanceAttributes, Member } from '../inputs.ts'
import { adminRole, instanceSlot, replicationRole } from '../postgres/names.ts'
import { settingLines } from '../postgres/settings.ts'
import { verifying } from '../postgres/tls.ts'
import { noteWritten } from '../postgres/written-files.ts'
import { accessRules, identities, wayOf } from './access.ts'
import { isClosed } from './admission.ts'
import { owner, place } from './place.ts'
import { writePassword } from './replication.ts'
import { shell } from './shell.ts'

/** Setting -> the least that a server which replays may have of it (`floors.ts`). */
export type Floors = Readonly<Record<string, number>>

/**
 * - `ordinary`: it takes reads, and writes where it is primary.
 * - `copying`: it follows another node until it is populated, and must not take over that node's slots.
 * - `promoting`: it stops following at `target` and becomes a primary. Its copied subscriptions must not
 *   run, or they would take what was sent to the source; its replicas must not see it before it has turned,
 *   or they would run past it.
 * - `restoring`: it replays the archived log up to a point and becomes a primary. What it was linked with when it
 *   was backed up must not run, and only Remodel may come in: what is written before it is whole would be lost
 *   with the next attempt.
 */
export type Mode =
  | { is: 'ordinary' | 'copying'; floors?: Floors }
  | { is: 'promoting'; target: string; floors: Floors }
  | { is: 'restoring'; target: Target }

/** Remodel's own settings where the document says nothing. */
const usual: Record<string, string> = {
  max_connections: '100',
  max_prepared_transactions: '0',
  max_locks_per_transaction: '64',
  max_wal_senders: '32',
  max_replication_slots: '64',
  max_active_replication_origins: '64',
  max_worker_processes: '32',
  max_logical_replication_workers: '16',
  wal_retrieve_retry_interval: '500ms',
  wal_receiver_status_interval: '1s',
  log_line_prefix: '%m [%p] %a ',
}

/**
 * Names in the case of PostgreSQL's own list: the server does not look at it, and the last of two lines would count.
 */
export function settingsOf(instance: InstanceAttributes, mode: Mode): Record<string, string> {
  const given = Object.entries(instance.settings).map(([name, value]): [string, string] => {
    const plain = name.toLowerCase()
    return [plain in usual ? plain : name, value]
  })
  const settings = { ...usual, ...Object.fromEntries(given) }
  return {
    ...settings,
    ...raised(settings, 'floors' in mode ? (mode.floors ?? {}) : {}),
    listen_addresses: instance.address,
    port: String(instance.port),
    unix_socket_directories: place.run,
    wal_level: 'logical',
    hot_standby: 'on',
    hot_standby_feedback: 'on',
    wal_log_hints: 'on',
    track_commit_timestamp: 'on',
    ...(instance.tls ? { ssl: 'on', ssl_cert_file: place.certificate, ssl_key_file: place.certificate } : {}),
    sync_replication_slots: mode.is === 'ordinary' ? 'on' : 'off',
    ...(mode.is === 'promoting'
      ? {
          max_logical_replication_workers: '0',
          recovery_target_lsn: mode.target,
          recovery_target_inclusive: 'off',
          recovery_target_action: 'promote',
        }
      : {}),
    ...(mode.is === 'restoring' ? recovery(mode.target) : {}),
  }
}

function raised(settings: Readonly<Record<string, string>>, floors: Floors): Record<string, string> {
  const more = Object.entries(floors).filter(([name, floor]) => floor > Number(settings[name]))
  return Object.fromEntries(more.map(([name, floor]) => [name, String(floor)]))
}

function recovery(target: Target): Record<string, string> {
  return {
    // The settings of then need not fit those of today until it is open.
    hot_standby: 'off',
    max_logical_replication_workers: '0',
    restore_command: `cp "${place.replayed}/%f" "%p"`,
    recovery_target_timeline: 'latest',
    ...(target.type === 'default' ? {} : { recovery_target_action: 'promote' }),
    ...(target.type === 'immediate' ? { recovery_target: 'immediate' } : {}),
    ...('value' in target
      ? {
          [`recovery_target_${target.type}`]: target.value.replace('T', ' '),
          recovery_target_inclusive: target.exclusive ? 'off' : 'on',
        }
      : {}),
  }
}

/** Writes what belongs to one server. `password`: of the replication role. */
export async function configure(
  connection: Connection,
  instance: InstanceAttributes,
  mode: Mode,
  password: string,
): Promise<void> {
  const usually = (await isClosed(connection)) ? 'servers' : 'clients'
  const open = mode.is === 'restoring' ? 'none' : mode.is === 'promoting' ? 'peers' : usually
  await connection.write(`${place.data}/remodel.conf`, settingLines(settingsOf(instance, mode)))
  await connection.write(`${place.data}/pg_ident.conf`, identities)
  await connection.write(`${place.data}/pg_hba.conf`, accessRules(open, wayOf(instance.tls)))
  await connection.write(`${place.data}/postgresql.conf`, "include 'remodel.conf'\ninclude_if_exists 'node.conf'\n")
  await writePassword(connection, password)
  await owned(connection, ['remodel.conf', 'pg_ident.conf', 'pg_hba.conf', 'postgresql.conf'])
}

/** How a server follows, and what its commits wait for, when it is the primary. */
export interface Arrangement {
  self: string
  /** Whom it follows when it is a replica. */
  upstream: readonly Member[]
  /** Only a primary may be followed; a node that is being filled has none. */
  primaryOnly: boolean
  /** The one that it follows shows a certificate of the deployment's CA (`tls.ts`). */
  verified: boolean
  /** Replicas that commits wait for: one of them has to have it. */
  synchronous: readonly string[]
}

export async function arrange(connection: Connection, of: Arrangement): Promise<void> {
  const { self, upstream, synchronous } = of
  const text = settingLines({
    ...(upstream.length === 0 ? {} : { primary_conninfo: followInfo(of), primary_slot_name: instanceSlot(self) }),
    ...(synchronous.length === 0
      ? {}
      : {
          synchronous_standby_names: `ANY 1 (${synchronous.map((name) => `"${name}"`).join(', ')})`,
          // Rows that other nodes got must not be lost to a failover either.
          synchronized_standby_slots: synchronous.map(instanceSlot).join(', '),
        }),
  })
  await connection.write(`${place.data}/node.conf`, text)
  await owned(connection, ['node.conf'])
}

/** A server that was arranged to follow as the admin role, as all were once, follows as the role that is let in. */
export async function followAsReplication(connection: Connection): Promise<void> {
  const [before, now] = [`user=${adminRole} dbname`, `${follower} dbname`]
  const file = `${place.data}/node.conf`
  await shell(connection, `if [ -e ${file} ]; then sed -i 's|${before}|${now}|' ${file}; fi`)
  await owned(connection, ['node.conf'])
}

function followInfo({ self, upstream, primaryOnly, verified }: Arrangement): string {
  const wanted = primaryOnly ? 'read-write' : 'any'
  return conninfo(upstream, { database: 'postgres', name: self, wanted, verified })
}

/** As whom servers come to each other, for libpq. */
const follower = `user=${replicationRole} passfile=${place.passwords}`
/** Else libpq looks for a certificate of the client in a home folder that the server cannot read, and gives TLS up. */
const noClientCertificate = 'sslcertmode=disable'

interface Connecting {
  database: string
  name: string
  wanted: 'read-write' | 'any'
  verified: boolean
}

/** Without it libpq takes TLS where a server has it, from whatever server that is. */
const checked = ` ${verifying} sslrootcert=${place.authority}`

/** libpq tries the servers in turn and stays with the one that is the primary, so it follows a failover by itself. */
export function conninfo(servers: readonly Member[], { database, name, wanted, verified }: Connecting): string {
  const hosts = servers.map(({ address }) => address).join(',')
  const ports = servers.map(({ port }) => port).join(',')
  return `host=${hosts} port=${ports} ${follower} dbname=${database} application_name=${name} target_session_attrs=${wanted} connect_timeout=2 keepalives_idle=2 keepalives_interval=1 keepalives_count=3 ${noClientCertificate}${verified ? checked : ''}`
}

/** Files that a remodel has just written are the server's, and are noted as they are. */
export function owned(connection: Connection, files: readonly string[]): Promise<string> {
  const own = `chown ${owner} ${place.data}/*.conf; chmod 0640 ${place.data}/*.conf`
  return shell(connection, `${own}; ${noteWritten(files)}`)
}
