import type { HostAttributes, InstanceAttributes } from '../inputs.ts'
import { instanceId, vmId } from './names.ts'
import type { Executor, InstanceResources, JsonObject, NodeResources, ResourceData } from './operations/operations.ts'
import type { Document, Host } from './schema.ts'

function resource(
  identifier: ResourceData['identifier'],
  executor: Executor,
  attributes: object,
  dependencies: ResourceData['dependencies'] = null,
): ResourceData {
  return {
    needs_recreate: false,
    executor,
    identifier,
    attributes: attributes as JsonObject,
    dependencies,
    type_dependencies: null,
    diff_ignore: null,
    resource_version: '1',
    pending_deletion: false,
    error: '',
  }
}

const keptLog = 'max_slot_wal_keep_size'

function hostResource(deployment: string, host: Host): ResourceData {
  const vm = vmId(deployment, host.id)
  const attributes: HostAttributes = { vm, disk: `${vm}-data`, address: host.address, disk_mib: host.disk_mib }
  return resource({ id: host.id, type: 'host' }, { type: 'host', id: host.id }, attributes)
}

/**
 * A reader that is away for long may have its log kept in half of the disk; then its slot is ended, which costs that
 * link and not the writes of all clients. Where the log is archived nothing is ended: the archive would have a gap.
 */
function logLimit({ disk_mib }: Host, settings: Readonly<Record<string, string>>): Record<string, string> {
  const isGiven = Object.keys(settings).some((name) => name.toLowerCase() === keptLog)
  return isGiven ? {} : { [keptLog]: `${Math.floor(disk_mib / 2)}MB` }
}

function tlsOf({ tls }: Document): InstanceAttributes['tls'] {
  return tls === undefined || tls.mode === 'off' ? undefined : { mode: tls.mode, days: tls.certificate_days }
}

/** What the architect has made of the document for the instances. */
interface NodeTexts extends Pick<InstanceAttributes, 'users' | 'access'> {
  /** Of the node at an index: as text, as the server is to read them. */
  settings(at: number): Record<string, string>
}

/** The nodes of a document with the resources that Remodel brings for each instance: its machine. */
export function nodeResources(
  deployment: string,
  document: Document,
  hosts: ReadonlyMap<string, Host>,
  { users, access, settings }: NodeTexts,
): NodeResources[] {
  const { database_name, scripts } = document
  const owner = document.database_users.find(({ db_owner }) => db_owner)?.username ?? ''
  const script = scripts.post_database_create
  return document.nodes.map((node, at) => {
    const port = node.port ?? document.port
    const tls = tlsOf(document)
    const backup = node.backup_config ?? document.backup_config
    const instances = node.host_ids.map((host_id): InstanceResources => {
      // A host that does not exist is refused by the operations, with all other faults.
      const host = hosts.get(host_id) ?? { id: host_id, address: '', disk_mib: 0 }
      const machine = hostResource(deployment, host)
      const attributes: InstanceAttributes = {
        node: node.name,
        host_id,
        vm: vmId(deployment, host_id),
        address: host.address,
        port,
        database_name,
        settings: { ...settings(at), ...(backup ? {} : logLimit(host, settings(at))) },
        users: [...users],
        access,
        synchronous: document.synchronous_replication,
        ...(tls ? { tls } : {}),
        ...(backup ? { backup: { keep: backup.repositories[0]?.retention_full ?? null } } : {}),
      }
      const id = instanceId(node.name, host_id)
      const executor: Executor = { type: 'host', id: host_id }
      return {
        instance_id: id,
        host_id,
        node_name: node.name,
        database_id: deployment,
        database_name,
        instance: resource({ id, type: 'database.instance' }, executor, attributes, [machine.identifier]),
        instance_dependencies: [machine],
        database_dependencies: null,
        node_dependents: null,
      }
    })
    const restore = node.restore_config ?? document.restore_config
    return {
      database_id: deployment,
      database_owner: owner,
      database_name,
      node_name: node.name,
      // A node comes from one place: what the database is restored from counts.
      source_node: document.restore_config && !node.restore_config ? '' : node.source_node,
      primary_instance_id: '',
      instances,
      restore_config: restore ? { source_database_name: restore.source_database_name ?? database_name } : null,
      ...(document.extensions.length > 0 ? { extensions: document.extensions.toSorted() } : {}),
      scripts: script.length > 0 ? { post_database_create: { statements: script } } : null,
    }
  })
}
