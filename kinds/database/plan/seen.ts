import { type ActualMaterial, materialName, materialType } from '../../../shared/model/material.ts'
import { DatabaseServer, StoppedLink } from '../api/server.ts'
import { InstanceAttributes } from '../inputs.ts'
import type { Finding } from '../judgement/finding.ts'
import type { Seen, ServerSeen } from '../judgement/seen.ts'

const Disk = DatabaseServer.shape.disk

/**
 * What is judged, of a floorplan that the inspector has read. `amiss`: what is wrong with materials that are no server,
 * node or link.
 */
export function seenIn(materials: readonly ActualMaterial[], deployment: string, amiss: readonly Finding[]): Seen {
  return {
    deployment,
    servers: materials.filter(({ id }) => materialType(id) === 'instance').flatMap(serverIn),
    stopped: materials.flatMap(({ meta }) => StoppedLink.safeParse(meta.link).data ?? []),
    amiss,
  }
}

/** None of a server that no inspector has looked at: what was recorded says nothing of how it is now. */
function serverIn({ id, attributes, meta }: ActualMaterial): ServerSeen[] {
  const role = meta.role === 'primary' || meta.role === 'replica' ? meta.role : null
  if (meta.health !== 'down' && role === null) return []
  const { node, host_id } = InstanceAttributes.parse(attributes)
  return [
    {
      ...{ instance: materialName(id), node, host: host_id, role },
      state: stateOf(meta, role),
      receivedBytes: typeof meta.received === 'number' ? meta.received : null,
      closed: typeof meta.closed === 'string' ? meta.closed : '',
      disk: Disk.safeParse(meta.disk).data ?? null,
    },
  ]
}

/**
 * As `describe` has it, which asks the supervisor of each machine. The inspector asks that one where the server does
 * not answer.
 */
function stateOf(meta: ActualMaterial['meta'], role: ServerSeen['role']): string {
  if (meta.health !== 'down') return isAstray(meta, role) ? 'failing' : 'running'
  if (meta.machine === undefined) return 'missing'
  return meta.process === 'stopped' ? 'failing' : 'unresponsive'
}

/** A replica that follows no server is no replica. */
export const isAstray = (meta: ActualMaterial['meta'], role: unknown) => role === 'replica' && meta.lag_bytes === null
