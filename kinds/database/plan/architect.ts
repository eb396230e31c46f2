import { z } from 'zod'
import { digestOf } from '../../../shared/model/canonical.ts'
import type { Blueprint } from '../../../shared/model/material.ts'
import { type Fault, RemodelError } from '../../../shared/runtime/errors.ts'
import { invalidInput, type SourceDocument, suggest } from '../../../shared/source/document.ts'
import type { CatalogView } from '../../contract/kind.ts'
import { accessRulesOf } from '../inputs.ts'
import { adminRole, replicationRole } from '../postgres/names.ts'
import { shareOf, stride } from '../postgres/number-shares.ts'
import { restoresOf } from './architect/restores.ts'
import { instanceId } from './names.ts'
import { EndState, resourcesOf } from './operations/operations.ts'
import { nodeResources } from './resources.ts'
import { Document, Host } from './schema.ts'
import { extensionFaults } from './settings/extensions.ts'
import { textsOf } from './settings/text.ts'
import { materialOf } from './state.ts'
import type { Strategy } from './strategy.ts'

/** Settings that decide how servers find and follow each other. */
const own = new Set([
  'listen_addresses',
  'port',
  'unix_socket_directories',
  'data_directory',
  'config_file',
  'external_pid_file',
  'hba_file',
  'ident_file',
  'wal_level',
  'wal_log_hints',
  'track_commit_timestamp',
  'hot_standby',
  'hot_standby_feedback',
  'primary_conninfo',
  'primary_slot_name',
  'synchronous_standby_names',
  'synchronized_standby_slots',
  'sync_replication_slots',
])

/** Where Remodel makes the certificates it says which they are; how strong TLS is to be stays the document's. */
const ofTls = new Set(['ssl', 'ssl_cert_file', 'ssl_key_file', 'ssl_ca_file', 'ssl_crl_file', 'ssl_crl_dir'])

/** A file of settings takes these words for what they are, not for names. */
const directives = /^include(_dir|_if_exists)?$/
const ofRecovery = /^(recovery_|restore_command$|archive_cleanup_command$)/

/** The server does not look at the case of a name, so neither does this. */
function refuseSettings(
  settings: Readonly<Record<string, unknown>>,
  tls: boolean,
  fault: (setting: string, message: string) => void,
) {
  const first = new Map<string, string>()
  for (const setting of Object.keys(settings)) {
    const name = setting.toLowerCase()
    if (own.has(name) || (tls && ofTls.has(name)) || directives.test(name) || ofRecovery.test(name)) {
      fault(setting, 'is decided by Remodel: leave it out')
    }
    const other = first.get(name)
    if (other !== undefined) fault(setting, `is the same setting as ${other}: take one of them out`)
    first.set(name, setting)
  }
}

/** Where `keep` says which password servers come to each other with: no user is called so. */
export const replicationKey = '/replication'

/** What PostgreSQL or Remodel has a use of its own for. */
const reservedDatabases = ['postgres', 'template0', 'template1']
const reservedRoles = ['postgres', 'public', 'none']

/** Why no user may be called so; undefined where one may. */
function reservedRole(name: string): string | undefined {
  if (name === adminRole || name === replicationRole) return 'is the role that Remodel works as: choose another name'
  if (name.startsWith('remodel_')) return 'begins like the roles that Remodel works as: choose another name'
  if (name.startsWith('pg_') || reservedRoles.includes(name))
    return 'is a name that PostgreSQL keeps for itself: choose another one'
  return undefined
}

/** Never empty, or the user would come in without a password: a plan that names a blob that is nowhere fails. */
function digestFor(username: string, { kept }: CatalogView): string {
  return kept?.[username] ?? digestOf({ verifier: username })
}

export function deploymentName(document: SourceDocument): string {
  const { name, database_name } = document.parse(Document)
  return name ?? database_name.toLowerCase().replace(/[^a-z0-9-]/g, '-')
}

/** Document and hosts -> everything that exists in the end. Pure. Throws `invalid-input` with all faults at once. */
export function architect(document: SourceDocument, catalog: CatalogView): Blueprint<Strategy> {
  const value = document.parse(Document)
  const deployment = deploymentName(document)
  const hosts = value.hosts ?? hostsOf(catalog.configs.cloud)
  refuse(document, value, hosts)
  const users = value.database_users.map(({ username, password, attributes }) => ({
    username,
    verifier: password === undefined ? '' : digestFor(username, catalog),
    attributes,
  }))
  const byId = new Map(hosts.map((host) => [host.id, host]))
  const nodes = nodeResources(deployment, value, byId, {
    users,
    access: accessRulesOf(catalog.kept?.[replicationKey] ?? ''),
    settings: (at) => ({
      ...textsOf(document, ['postgresql_conf'], value.postgresql_conf),
      ...textsOf(document, ['nodes', at, 'postgresql_conf'], value.nodes[at]!.postgresql_conf),
    }),
  })
  const strategy: Strategy = {
    database: value.database_name,
    nodes,
    hosts: [...byId.keys()],
    hostsOf: Object.fromEntries(value.nodes.map(({ name, host_ids }) => [name, host_ids])),
    ports: Object.fromEntries(
      value.nodes.map(({ name, port }, at) => [name, port === undefined ? 'port' : `nodes[${at}].port`]),
    ),
    primaries: Object.fromEntries(
      value.nodes.flatMap(({ name, primary_host_id }) =>
        primary_host_id === undefined ? [] : [[name, instanceId(name, primary_host_id)]],
      ),
    ),
    ...restoresOf(document, value, deployment),
    updateStrategy: value.node_update_strategy,
    force: value.force_update,
    dataLoss: value.data_loss,
  }
  const materials = resourcesOf(EndState(nodes)).map(materialOf)
  return { deployment, kind: 'database', materials, strategy }
}

export function nothing(deployment: string): Blueprint<Strategy> {
  const strategy: Strategy = {
    database: '',
    nodes: [],
    hosts: [],
    hostsOf: {},
    ports: {},
    primaries: {},
    restores: {},
    places: {},
    updateStrategy: 'rolling',
    force: false,
    dataLoss: false,
  }
  return { deployment, kind: 'database', materials: [], strategy }
}

/** What every document that names no hosts would be refused for with these cloud configs. Pure. */
export function checkClouds(documents: readonly SourceDocument[]): Fault[] {
  try {
    hostsOf(documents)
    return []
  } catch (error) {
    if (error instanceof RemodelError && error.code === 'invalid-input') return [...error.faults]
    throw error
  }
}

/** Hosts that a cloud config offers, where the document names none. */
function hostsOf(documents: readonly SourceDocument[]): Host[] {
  return documents.flatMap((config) => {
    const keys = config.value as Record<string, unknown> | null
    return keys && typeof keys === 'object' && 'hosts' in keys
      ? config.parse(z.looseObject({ hosts: z.array(Host) })).hosts
      : []
  })
}

function refuse(document: SourceDocument, value: Document, hosts: readonly Host[]): void {
  const faults: Fault[] = []
  const fault = (path: (string | number)[], message: string, more: Partial<Fault> = {}) =>
    faults.push(document.fault(path, message, more))
  const ids = hosts.map(({ id }) => id)
  for (const [index, host] of hosts.entries()) {
    if (ids.indexOf(host.id) !== index)
      fault(['hosts', index, 'id'], `host ${host.id} is named twice: give one of them another id`)
    const same = hosts.findIndex(({ address }) => address === host.address)
    if (same !== index)
      fault(['hosts', index, 'address'], `is the address of host ${hosts[same]!.id}: each host has one of its own`)
  }
  const names = value.nodes.map(({ name }) => name)
  const tls = (value.tls?.mode ?? 'off') !== 'off'
  const used = new Map<string, string>()
  for (const [at, node] of value.nodes.entries()) {
    if (names.indexOf(node.name) !== at)
      fault(['nodes', at, 'name'], `node ${node.name} is named twice: give one of them another name`)
    const like = names.slice(0, at).find((other) => other !== node.name && shareOf(other) === shareOf(node.name))
    if (like !== undefined) {
      const what = `node ${node.name} would draw the same numbers from sequences as node ${like}, as their numbers have one remainder by ${stride}`
      fault(['nodes', at, 'name'], `${what}: give it another name`)
    }
    if (node.source_node === node.name) {
      const others = names.filter((other) => other !== node.name)
      fault(['nodes', at, 'source_node'], `node ${node.name} names itself`, { allowed: others.join(', ') || 'none' })
    }
    for (const [index, host] of node.host_ids.entries()) {
      const path = ['nodes', at, 'host_ids', index]
      if (!ids.includes(host)) {
        fault(path, `there is no host ${host}`, { allowed: ids.join(', ') || 'none', ...suggest(host, ids) })
      }
      const other = used.get(host)
      if (other !== undefined) {
        const free = ids.filter((id) => !value.nodes.some(({ host_ids }) => host_ids.includes(id)))
        const what =
          other === node.name
            ? `node ${node.name} has more than one instance on host ${host}`
            : `host ${host} has an instance of node ${other} already`
        fault(path, what, { allowed: free.join(', ') || 'another host: all of these are in use' })
      }
      used.set(host, node.name)
    }
    if (node.primary_host_id !== undefined && !node.host_ids.includes(node.primary_host_id)) {
      fault(['nodes', at, 'primary_host_id'], `${node.primary_host_id} is no host of node ${node.name}`, {
        allowed: node.host_ids.join(', '),
      })
    }
    if (node.restore_config && node.source_node !== '') {
      fault(['nodes', at, 'source_node'], `node ${node.name} has both a source node and a restore config: choose one`)
    }
    refuseSettings(node.postgresql_conf, tls, (setting, message) =>
      fault(['nodes', at, 'postgresql_conf', setting], message),
    )
  }
  refuseSettings(value.postgresql_conf, tls, (setting, message) => fault(['postgresql_conf', setting], message))
  const users = value.database_users.map(({ username }) => username)
  for (const [index, user] of value.database_users.entries()) {
    const path = ['database_users', index, 'username']
    if (users.indexOf(user.username) !== index)
      fault(path, `user ${user.username} is named twice: take one of them out`)
    const reserved = reservedRole(user.username)
    if (reserved !== undefined) fault(path, reserved)
  }
  faults.push(...extensionFaults(document, value))
  if (reservedDatabases.includes(value.database_name)) {
    fault(['database_name'], 'is a database that every server has for itself: choose another name')
  }
  if (value.database_users.filter(({ db_owner }) => db_owner).length > 1) {
    fault(['database_users'], 'only one user can own the database')
  }
  if (faults.length > 0) throw invalidInput(faults)
}
