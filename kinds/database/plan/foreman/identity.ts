import type { Fault } from '../../../../shared/runtime/errors.ts'
import { invalidInput } from '../../../../shared/source/document.ts'
import { HostAttributes, InstanceAttributes } from '../../inputs.ts'
import { findResource, type NodeResources, type State } from '../operations/operations.ts'
import type { Strategy } from '../strategy.ts'

/**
 * Throws `invalid-input`, with the place, where a document would give a server or its data another identity: another
 * port or database for a server, another node for a host that has the data of one. Each of them would be a loss or a
 * standstill, as the old one and the new one are changed in the same plan.
 */
export function refuseOtherIdentity(strategy: Strategy, nodes: readonly NodeResources[], start: State): void {
  const actual = Object.values(start.resources['database.instance'] ?? {}).map(({ attributes }) =>
    InstanceAttributes.parse(attributes),
  )
  const faults = new Map<string, Fault>()
  const fault = (path: string, message: string) => faults.set(path, { path, message })
  for (const [at, { instances, node_name: node }] of nodes.entries()) {
    for (const { instance, host_id } of instances ?? []) {
      const wanted = InstanceAttributes.parse(instance.attributes)
      const path = `nodes[${at}].host_ids[${strategy.hostsOf[node]?.indexOf(host_id) ?? 0}]`
      const same = actual.find((one) => one.node === wanted.node && one.host_id === host_id)
      if (same && same.port !== wanted.port) {
        const way = 'add a node with the new port, then remove this one'
        fault(strategy.ports[node] ?? 'port', `node ${node} stands at port ${same.port}, which does not change: ${way}`)
      }
      const named = same ?? actual.find(({ database_name }) => database_name !== wanted.database_name)
      if (named && named.database_name !== wanted.database_name) {
        const what = `this deployment is database ${named.database_name}, which is not renamed`
        fault(
          'database_name',
          `${what}: keep the name, or give the deployment of ${wanted.database_name} a \`name\` of its own`,
        )
      }
      const other = actual.find((one) => one.host_id === host_id && one.node !== wanted.node)
      if (!same && other) fault(path, `host ${host_id} has the data of node ${other.node}: ${removeFirst(other.node)}`)
      else if (!same) {
        const taken = hostAt(start, wanted.address, host_id)
        if (taken !== undefined)
          fault(
            path,
            `the address of host ${host_id} is that of host ${taken}, which stands: deploy without ${taken} first`,
          )
      }
    }
  }
  if (faults.size > 0) throw invalidInput([...faults.values()])
}

const removeFirst = (node: string) => `keep the name, or remove ${node} in a deploy of its own first`

/** Another host that has this address. */
function hostAt(start: State, address: string, host: string): string | undefined {
  if (findResource(start, 'host', host) !== undefined) return undefined
  return Object.values(start.resources.host ?? {}).find(
    ({ attributes }) => HostAttributes.parse(attributes).address === address,
  )?.identifier.id
}
