import type { Executor, Identifier, JsonObject, ResourceData } from './resource.ts'

/**
 * The resources a database is made of beyond what the orchestrator brings per instance. Types, identifiers,
 * dependencies and the spelling of attributes are those of the reference, its two dead `diff_ignore` entries included.
 */
const anywhere: Executor = { type: 'any', id: '' }

/** Resources that connect two nodes. There are as many as pairs of nodes, so most of a large state is these. */
export const linkTypes: readonly string[] = ['database.replication_slot', 'database.subscription']

/** One database on one node: what everything about replication is attached to. Made once per node, then shared. */
export interface Site {
  readonly node: string
  readonly database: string
  /** Where its primary is. */
  readonly executor: Executor
  readonly postgres: Identifier
}

export function siteOf(node: string, database: string): Site {
  return {
    node,
    database,
    executor: { type: 'primary', id: node },
    postgres: { id: `${node}:${database}`, type: 'database.postgres_database' },
  }
}

function resource(
  identifier: Identifier,
  executor: Executor,
  attributes: JsonObject,
  dependencies: readonly Identifier[],
): ResourceData {
  return {
    needs_recreate: false,
    executor,
    identifier,
    attributes,
    dependencies: dependencies.length === 0 ? null : dependencies,
    type_dependencies: null,
    diff_ignore: null,
    resource_version: '1',
    pending_deletion: false,
    error: '',
  }
}

const nodeId = (node: string): Identifier => ({ id: node, type: 'database.node' })
const instanceId = (id: string): Identifier => ({ id, type: 'database.instance' })
const dumpRolesId = (node: string): Identifier => ({ id: node, type: 'database.dump_roles' })

const between =
  (type: string) =>
  (from: Site, to: Site): Identifier => ({
    id: `${from.node}:${to.node}:${to.database}`,
    type: `database.${type}`,
  })
export const subscriptionId = between('subscription')
const syncEventId = between('sync_event')
export const waitForSyncEventId = between('wait_for_sync_event')
export const peerCatchupId = between('peer_catchup')
const slotId = between('replication_slot')
const slotAdvanceId = between('replication_slot_advance_from_cts')
const originAdvanceId = between('replication_origin_advance')
const lagTrackerId = between('lag_tracker_commit_ts')

export const slotCreateId = (provider: Site, subscriber: Site): Identifier => ({
  id: `spk_${subscriber.database}_${provider.node}_sub_${provider.node}_${subscriber.node}`,
  type: 'database.replication_slot_create',
})

const nodeIgnores = ['/primary_instance_id']

export function node(name: string, instanceIds: readonly string[]): ResourceData {
  const attributes = {
    name,
    instance_ids: instanceIds.length === 0 ? null : instanceIds,
    primary_instance_id: '',
  }
  return { ...resource(nodeId(name), anywhere, attributes, instanceIds.map(instanceId)), diff_ignore: nodeIgnores }
}

export function instanceMonitor(of: {
  database_id: string
  instance_id: string
  database_name: string
  host_id: string
}): ResourceData {
  return resource(
    { id: of.instance_id, type: 'monitor.instance' },
    { type: 'host', id: of.host_id },
    { database_id: of.database_id, instance_id: of.instance_id, db_name: of.database_name, host_id: of.host_id },
    [instanceId(of.instance_id)],
  )
}

/** `attributes` beyond the node's and the database's names. */
export function postgresDatabase(
  site: Site,
  extra: readonly Identifier[],
  attributes: PostgresAttributes,
): ResourceData {
  const { database_id, owner, rename_from, has_restore_config, post_database_create, extensions } = attributes
  return resource(
    site.postgres,
    site.executor,
    {
      database_id,
      node_name: site.node,
      database_name: site.database,
      owner,
      rename_from,
      has_restore_config,
      extra_dependencies: extra.length === 0 ? null : extra,
      ...(post_database_create === undefined ? {} : { post_database_create }),
      ...(extensions === undefined ? {} : { extensions }),
    },
    [nodeId(site.node), ...extra],
  )
}

export interface PostgresAttributes {
  readonly database_id: string
  readonly owner: string
  readonly rename_from: string
  readonly has_restore_config: boolean
  readonly post_database_create?: JsonObject
  readonly extensions?: readonly string[]
}

export function replicationSlot(provider: Site, subscriber: Site): ResourceData {
  return resource(slotId(provider, subscriber), provider.executor, pair(provider, subscriber), [provider.postgres])
}

export function subscription(
  provider: Site,
  subscriber: Site,
  how: { disabled?: boolean; sync?: boolean; extra?: readonly Identifier[]; slot?: Identifier } = {},
): ResourceData {
  const extra = how.extra ?? []
  const slot = how.slot ?? slotId(provider, subscriber)
  return resource(
    { id: slot.id, type: 'database.subscription' },
    subscriber.executor,
    {
      database_name: subscriber.database,
      subscriber_node: subscriber.node,
      provider_node: provider.node,
      disabled: how.disabled ?? false,
      sync_structure: how.sync ?? false,
      sync_data: how.sync ?? false,
      extra_dependencies: extra.length === 0 ? null : extra,
      needs_update: false,
    },
    [subscriber.postgres, provider.postgres, slot, ...extra],
  )
}

export function replicationSlotCreate(provider: Site, subscriber: Site): ResourceData {
  return resource(slotCreateId(provider, subscriber), provider.executor, pair(provider, subscriber), [
    provider.postgres,
  ])
}

export function syncEvent(provider: Site, subscriber: Site, extra: readonly Identifier[] = []): ResourceData {
  return resource(
    syncEventId(provider, subscriber),
    provider.executor,
    {
      ...pair(provider, subscriber),
      sync_event_lsn: '',
      extra_dependencies: extra.length === 0 ? null : extra,
    },
    [subscriptionId(provider, subscriber), ...extra],
  )
}

export function waitForSyncEvent(provider: Site, subscriber: Site): ResourceData {
  return resource(waitForSyncEventId(provider, subscriber), subscriber.executor, pair(provider, subscriber), [
    syncEventId(provider, subscriber),
  ])
}

/** The source has applied everything the peer had committed. */
export function peerCatchup(source: Site, peer: Site): ResourceData {
  return resource(
    peerCatchupId(source, peer),
    source.executor,
    { database_name: source.database, source_node: source.node, peer_node: peer.node },
    [syncEventId(peer, source)],
  )
}

export function lagTracker(origin: Site, receiver: Site, extra: readonly Identifier[]): ResourceData {
  const attributes = {
    origin_node: origin.node,
    receiver_node: receiver.node,
    database_name: receiver.database,
    ...(extra.length === 0 ? {} : { dependent_resources: extra }),
  }
  const needs = [receiver.postgres, origin.postgres, ...extra]
  const tracker = resource(lagTrackerId(origin, receiver), receiver.executor, attributes, needs)
  return { ...tracker, diff_ignore: ['commit_timestamp'] }
}

export function slotAdvance(provider: Site, subscriber: Site): ResourceData {
  const needs = [provider.postgres, subscriber.postgres, lagTrackerId(provider, subscriber)]
  const id = slotAdvanceId(provider, subscriber)
  const advance = resource(id, provider.executor, pair(provider, subscriber), needs)
  return { ...advance, diff_ignore: ['advanced_to_lsn'] }
}

export function originAdvance(provider: Site, subscriber: Site): ResourceData {
  return resource(originAdvanceId(provider, subscriber), subscriber.executor, pair(provider, subscriber), [
    slotAdvanceId(provider, subscriber),
  ])
}

export function dumpRoles(name: string): ResourceData {
  return resource(
    dumpRolesId(name),
    { type: 'primary', id: name },
    { node_name: name, roles: null, statements: null },
    [nodeId(name)],
  )
}

export function rolesSource(name: string, source: string): ResourceData {
  return resource(
    { id: name, type: 'database.roles_source' },
    anywhere,
    { node_name: name, source_node_name: source },
    [dumpRolesId(source)],
  )
}

/** Hands the primary role to this instance. The reference still knows the type but plans it no more. */
export function switchover(of: { instance_id: string; host_id: string }): ResourceData {
  return resource(
    { id: of.instance_id, type: 'database.switchover' },
    { type: 'host', id: of.host_id },
    { host_id: of.host_id, instance_id: of.instance_id, target_role: 'primary' },
    [instanceId(of.instance_id)],
  )
}

function pair(provider: Site, subscriber: Site): JsonObject {
  return {
    database_name: subscriber.database,
    provider_node: provider.node,
    subscriber_node: subscriber.node,
  }
}
