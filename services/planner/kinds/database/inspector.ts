import { restoredMaterial } from '../../../../shared/kinds/database.ts'
import type { Blueprint, StandingMaterial } from '../../../../shared/model/material.ts'
import { instanceSlot } from '../../../../shared/postgres/names.ts'
import type { Disk, Vm } from '../../../../shared/provider/provider.ts'
import type { World } from '../kind.ts'
import { archivesAsFound } from './inspector/archive.ts'
import { linkAsFound, strayLinks } from './inspector/links.ts'
import { askServer, type Server } from './inspector/servers.ts'
import type { ResourceData } from './operations/operations.ts'
import { resourceOf, standingOf } from './state.ts'
import type { Strategy } from './strategy.ts'

/**
 * The world -> floorplan: every recorded resource as it is found today, and what was made without being recorded. What is not
 * there is marked `needs_recreate`, what does not do as it should carries an `error`: the operations know what follows from
 * that. `meta` of an instance says its role, what it has received, and how far behind it is. Changes nothing.
 */
export async function inspector(
  blueprint: Blueprint,
  world: World,
): Promise<{ materials: StandingMaterial[]; notes: string[] }> {
  const recorded = world.recorded.materials.filter((material) => material.meta.resource !== undefined).map(resourceOf)
  const of = (type: string) => recorded.filter(({ identifier }) => identifier.type === type)
  const vms = await world.provider.listVms({ owner: `deployment/${blueprint.deployment}` })
  const running = new Set(vms.filter(({ state }) => state === 'running').map(({ id }) => id))
  const instances = of('database.instance')
  const answers = await Promise.all(
    instances.map((instance) =>
      running.has(String(instance.attributes.vm)) ? askServer(world.provider, instance) : null,
    ),
  )
  const servers = new Map(answers.flatMap((server): [string, Server][] => (server ? [[server.instance, server]] : [])))
  const primaries = primariesOf(of('database.node'), servers)

  const materials = recorded.map((resource): StandingMaterial => {
    const { type, id } = resource.identifier
    if (type === 'host') {
      const stands = running.has(String(resource.attributes.vm))
      return withMeta(stands ? resource : { ...resource, needs_recreate: true }, {
        health: stands ? 'running' : 'missing',
      })
    }
    if (type === 'database.instance') return instanceAsFound(resource, servers.get(id))
    if (type === 'database.node') return standingOf(nodeAsFound(resource, primaries.get(id), recorded))
    if (type === 'database.replication_slot' || type === 'database.subscription') {
      return standingOf(linkAsFound(resource, primaries))
    }
    return standingOf(resource)
  })
  const known = new Set(recorded.map(({ identifier }) => `${identifier.type}::${identifier.id}`))
  const database = String(instances[0]?.attributes.database_name ?? '')
  const disks = await world.provider.listDisks({ owner: `deployment/${blueprint.deployment}` })
  const strays = [...strayLinks(primaries, database, known), ...strayHosts([...vms, ...disks], known)]
  const marks = world.recorded.materials.filter(({ id }) => id.startsWith(restoredMaterial('')))
  const strategy = blueprint.strategy as unknown as Strategy
  const found = { deployment: blueprint.deployment, instances, primaries }
  const archives = await archivesAsFound(strategy, found, world)
  return { materials: [...materials, ...strays.map(standingOf), ...marks, ...archives], notes: [] }
}

/** Node -> the server that takes writes: the recorded one where it does, else whoever says so. */
function primariesOf(nodes: readonly ResourceData[], servers: ReadonlyMap<string, Server>): Map<string, Server> {
  const found = new Map<string, Server>()
  for (const { identifier, attributes } of nodes) {
    const own = [...servers.values()].filter(({ node, recovering }) => node === identifier.id && !recovering)
    const primary = own.find(({ instance }) => instance === attributes.primary_instance_id) ?? own[0]
    if (primary) found.set(identifier.id, primary)
  }
  return found
}

function instanceAsFound(resource: ResourceData, server: Server | undefined): StandingMaterial {
  if (!server) return withMeta({ ...resource, needs_recreate: true }, { health: 'down' })
  const { recovering, received, lagBytes, slots } = server
  // A replica that follows nobody is no replica: the step that sets it up finds out why.
  const astray = recovering && lagBytes === null
  return withMeta(astray ? { ...resource, error: 'it follows nobody' } : resource, {
    health: 'running',
    role: recovering ? 'replica' : 'primary',
    received,
    ...(recovering ? { lag_bytes: lagBytes, slots } : {}),
  })
}

function nodeAsFound(
  resource: ResourceData,
  primary: Server | undefined,
  recorded: readonly ResourceData[],
): ResourceData {
  if (!primary) return resource
  const known = recorded
    .filter(({ identifier }) => identifier.type === 'database.instance')
    .map(({ identifier }) => instanceSlot(identifier.id))
  const strays = primary.physicalSlots.filter((slot) => slot.startsWith('instance_') && !known.includes(slot))
  return {
    ...resource,
    attributes: { ...resource.attributes, primary_instance_id: primary.instance },
    error: strays.length > 0 ? `its log is kept for ${strays.join(', ')}, which nobody knows` : resource.error,
  }
}

/** Machines and disks that this deployment owns but nobody recorded; they carry themselves what they were made for. */
function strayHosts(found: readonly (Vm | Disk)[], known: ReadonlySet<string>): ResourceData[] {
  const seen = new Set(known)
  return found.flatMap(({ ownership }): ResourceData[] => {
    const id = ownership.purpose.slice('host/'.length)
    if (seen.has(`host::${id}`) || ownership.resource === undefined) return []
    seen.add(`host::${id}`)
    return [{ ...(JSON.parse(ownership.resource) as ResourceData), needs_recreate: true }]
  })
}

function withMeta(resource: ResourceData, meta: StandingMaterial['meta']): StandingMaterial {
  const standing = standingOf(resource)
  return { ...standing, meta: { ...standing.meta, ...meta } }
}
