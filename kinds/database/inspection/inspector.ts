import { whyRenew } from '../../../shared/certificates/renewal.ts'
import { type ActualMaterial, type Blueprint, materialName, materialType } from '../../../shared/model/material.ts'
import type { Disk, Provider, Vm } from '../../../shared/provider/provider.ts'
import type { Inspection, World } from '../../contract/kind.ts'
import { HostAttributes, InstanceAttributes, restoredType } from '../inputs.ts'
import type { ResourceData } from '../plan/operations/operations.ts'
import { actualOf, resourceOf } from '../plan/state.ts'
import type { Strategy } from '../plan/strategy.ts'
import { lackingOn } from '../postgres/links/tables.ts'
import { adminRole, instanceSlot } from '../postgres/names.ts'
import { comparePositions } from '../postgres/position.ts'
import { Commits, commitsIn, isSame } from '../postgres/quorum.ts'
import { archivesAsFound } from './archive.ts'
import { fillingSlots } from './filling.ts'
import { stoppedLinks } from './leaving.ts'
import { linkAsFound, lostSlot, strayLinks } from './links.ts'
import { askMachine, type Machine, runsServer } from './machines.ts'
import { askServer, type Server } from './servers.ts'
import { linksThatStopped } from './stopped.ts'

/**
 * The world -> floorplan: every recorded resource as it is found today, and what was made without being recorded. What
 * is not there is marked `needs_recreate`, what does not do as it should carries an `error`: the operations know what
 * follows from that. `meta` of an instance says its role, what it has received, and how far behind it is; that of a
 * node what was recorded of its commits and of how far its servers had come. Changes nothing.
 */
export async function inspector(blueprint: Blueprint<Strategy>, world: World): Promise<Inspection> {
  const { strategy } = blueprint
  const recorded = world.recorded.materials.filter((material) => material.meta.resource !== undefined).map(resourceOf)
  const of = (type: string) => recorded.filter(({ identifier }) => identifier.type === type)
  const vms = await world.provider.listVms({ owner: `deployment/${blueprint.deployment}` })
  const running = new Set(vms.filter(({ state }) => state === 'running').map(({ id }) => id))
  const instances = of('database.instance')
  const machines = await machinesOf(instances, running, world.provider)
  // The way to a server leads through its machine.
  const answers = await Promise.all(
    instances.map((instance) =>
      machines.get(instance.identifier.id)?.silent === false ? askServer(world.provider, instance) : null,
    ),
  )
  const silent = new Set(
    instances
      .filter(({ identifier }) => machines.get(identifier.id)?.silent)
      .map(({ attributes }) => String(attributes.vm)),
  )
  const servers = new Map(answers.flatMap((server): [string, Server][] => (server ? [[server.instance, server]] : [])))
  const primaries = primariesOf(of('database.node'), servers)

  const ended = world.closely ? await endedServers(instances, { servers, machines }, world.provider) : new Set<string>()
  const disks = await world.provider.listDisks({ owner: `deployment/${blueprint.deployment}` })
  const remembered = new Map(world.recorded.materials.map(({ id, meta }) => [id, meta]))
  const used = new Set(instances.map(({ attributes }) => String(attributes.vm)))
  const idle = of('host').filter(({ attributes: { vm } }) => running.has(String(vm)) && !used.has(String(vm)))
  // A removal that was cut off may have laid data aside and not have recorded that the instance is gone.
  const removed = instances.filter(({ identifier: { id } }) => machines.get(id)?.aside && !servers.has(id))
  const aside = await Promise.all([
    ...removed.map(({ attributes }) => [String(attributes.host_id)]),
    ...idle.map(async ({ identifier, attributes }) =>
      (await askMachine(world.provider, String(attributes.vm))).aside ? [identifier.id] : [],
    ),
  ])
  const nodes = strategy.nodes.map(({ node_name }) => node_name)
  const [leaving, stopped] = await Promise.all([
    stoppedLinks({ primaries, instances }, nodes, world.provider),
    linksThatStopped({ primaries, instances }, world.provider),
  ])
  // The contents of a database that lets no session in are not known.
  const tables = new Map(
    [...primaries].flatMap(([node, server]) => (server.database.admin ? [[node, server.tables] as const] : [])),
  )
  const places = placesOf(instances)
  const links = of('database.subscription').filter(({ attributes }) => attributes.disabled !== true)
  const read = new Set(links.map(({ identifier }) => identifier.id))
  const materials = recorded.map((resource): ActualMaterial => {
    const { type, id } = resource.identifier
    if (type === 'host') {
      const runs = running.has(String(resource.attributes.vm))
      const mute = silent.has(String(resource.attributes.vm))
      const lost = { ...resource, needs_recreate: true, error: mute ? 'its machine does not answer' : resource.error }
      const astray = runs ? diskFault(resource, vms, disks) : ''
      return withMeta(runs && !mute ? (astray === '' ? resource : { ...resource, error: astray }) : lost, {
        health: mute ? 'silent' : runs ? 'running' : 'missing',
        disk: disks.some((disk) => disk.id === resource.attributes.disk) ? 'there' : 'gone',
        ...(aside.flat().includes(id) ? { aside: true } : {}),
      })
    }
    if (type === 'database.instance') {
      const server = servers.get(id)
      const primary = server && primaries.get(server.node)
      const found = instanceAsFound(resource, server, {
        machine: machines.get(id),
        ...{ primary, stopped: ended.has(id), closely: world.closely === true },
        disk: diskBytes(recorded, resource),
      })
      return withHeld(found, remembered.get(found.id)?.held)
    }
    if (type === 'database.node') {
      const { commits, seen } = remembered.get(actualOf(resource).id) ?? {}
      const known = { ...(commits === undefined ? {} : { commits }), ...(seen === undefined ? {} : { seen }) }
      const drain = primaries.get(id)?.drain ?? 'none'
      const draining = drain === 'none' ? {} : { drain }
      return withMeta(nodeAsFound(resource, primaries.get(id), { recorded, commits, machines }), {
        ...known,
        ...draining,
      })
    }
    if (type === 'database.replication_slot' || type === 'database.subscription') {
      const link = type === 'database.subscription' ? stopped.get(id) : undefined
      const carries = link === undefined ? {} : { link: link as ActualMaterial['meta'] }
      return withMeta(linkAsFound(resource, primaries, places), {
        ...leaving.get(id),
        ...carries,
        ...lostSlot(resource, primaries, read),
      })
    }
    if (type === 'database.postgres_database') {
      const at = primaries.get(String(resource.attributes.node_name))
      const node = String(resource.attributes.node_name)
      const lacking = tables.has(node) ? lackingOn(node, tables) : []
      const keyless = (tables.get(node) ?? []).flatMap(({ name, keyed }) => (keyed ? [] : [name]))
      const unshared = at?.unshared ?? []
      const roles = new Set(
        instances.flatMap((one) => InstanceAttributes.parse(one.attributes).users.map(({ username }) => username)),
      )
      const personal = (tables.get(node) ?? []).flatMap(({ name }) => (roles.has(name.split('.')[0]!) ? [name] : []))
      return withMeta(databaseAsFound(resource, at), {
        ...(at && !at.database.there ? { gone: true } : {}),
        ...(lacking.length > 0 ? { lacking } : {}),
        ...(keyless.length > 0 ? { keyless } : {}),
        ...(at && at.misplaced.length > 0 ? { misplaced: at.misplaced } : {}),
        ...(personal.length > 0 ? { personal } : {}),
        ...(unshared.length > 0 ? { unshared } : {}),
      })
    }
    return actualOf(resource)
  })
  const known = new Set(recorded.map(({ identifier }) => `${identifier.type}::${identifier.id}`))
  const database = String(instances[0]?.attributes.database_name ?? '')
  const strays = [...strayLinks(primaries, database, known), ...strayHosts([...vms, ...disks], known)]
  const marks = world.recorded.materials.filter(({ id }) => materialType(id) === restoredType)
  const found = { deployment: blueprint.deployment, instances, primaries }
  const observations = await archivesAsFound(strategy, found, world)
  return { materials: [...materials, ...strays.map(actualOf), ...marks], observations }
}

/** Node -> the server that takes writes; of two that say so the one that was promoted last. */
function primariesOf(nodes: readonly ResourceData[], servers: ReadonlyMap<string, Server>): Map<string, Server> {
  const found = new Map<string, Server>()
  for (const { identifier, attributes } of nodes) {
    const own = [...servers.values()].filter(({ node, recovering }) => node === identifier.id && !recovering)
    const recorded = (server: Server) => Number(server.instance === attributes.primary_instance_id)
    const [primary] = own.sort((a, b) => comparePositions(b.position, a.position) || recorded(b) - recorded(a))
    if (primary) found.set(identifier.id, primary)
  }
  return found
}

/** Instance -> what its machine says; only of machines that run. */
async function machinesOf(
  instances: readonly ResourceData[],
  running: ReadonlySet<string>,
  provider: Provider,
): Promise<Map<string, Machine>> {
  const there = instances.filter(({ attributes }) => running.has(String(attributes.vm)))
  return new Map(
    await Promise.all(
      there.map(async ({ identifier, attributes }): Promise<[string, Machine]> => {
        const vm = String(attributes.vm)
        const first = await askMachine(provider, vm)
        // Silence leads to its end: it is asked twice.
        return [identifier.id, first.silent ? await askMachine(provider, vm) : first]
      }),
    ),
  )
}

/** Servers that do not answer as their process does not run, though their machine answers. */
async function endedServers(
  instances: readonly ResourceData[],
  { servers, machines }: { servers: ReadonlyMap<string, Server>; machines: ReadonlyMap<string, Machine> },
  provider: Provider,
): Promise<Set<string>> {
  const found = await Promise.all(
    instances.map(async ({ identifier: { id }, attributes }) => {
      if (servers.has(id) || machines.get(id)?.silent !== false) return []
      return (await runsServer(provider, String(attributes.vm))) === false ? [id] : []
    }),
  )
  return new Set(found.flat())
}

function diskBytes(recorded: readonly ResourceData[], { attributes }: ResourceData): number {
  const host = recorded.find(({ identifier }) => identifier.type === 'host' && identifier.id === attributes.host_id)
  return host ? HostAttributes.parse(host.attributes).disk_mib * 2 ** 20 : 0
}

function instanceAsFound(
  resource: ResourceData,
  server: Server | undefined,
  {
    machine,
    primary,
    stopped,
    closely,
    disk,
  }: {
    machine: Machine | undefined
    primary: Server | undefined
    stopped: boolean
    closely: boolean
    disk: number
  },
): ActualMaterial {
  const aside = {
    ...(machine && machine.kept.length > 0 ? { kept: machine.kept } : {}),
    ...(machine && machine.closed !== '' ? { closed: machine.closed } : {}),
    ...(closely && machine?.disk ? { disk: machine.disk } : {}),
  }
  if (!server) {
    const seen = machine
      ? {
          machine: machine.silent ? 'silent' : 'answers',
          demoted: machine.demoted,
          data: machine.silent || machine.data,
          full: machine.full,
          ...(stopped ? { process: 'stopped' } : {}),
        }
      : {}
    return withMeta({ ...resource, needs_recreate: true }, { health: 'down', ...seen, ...aside })
  }
  const { recovering, position, lagBytes, slots } = server
  // A replica that follows no server is no replica: the step that sets it up finds out why.
  const astray = recovering && lagBytes === null
  const second = !recovering && primary !== undefined && primary !== server
  const wrong = [
    astray ? 'it follows no server' : '',
    second ? `it takes writes beside ${primary.instance}` : '',
    server.notInEffect.length > 0 ? `it does not have its settings: ${server.notInEffect.join(', ')}` : '',
    machine && machine.changed.length > 0 ? `another hand has changed its ${machine.changed.join(', ')}` : '',
    server.amiss.length > 0 ? `its roles are not as written: ${server.amiss.join(', ')}` : '',
    server.unarchived ? 'it keeps no log for its archive' : '',
    tlsFault(resource, server, { machine, primary }),
  ]
  const filling = fillingSlots(server, disk)
  const error = wrong.filter((one) => one !== '').join('; ')
  return withMeta(error === '' ? resource : { ...resource, error }, {
    health: 'running',
    role: recovering ? 'replica' : 'primary',
    started: server.started,
    received: position.lsn,
    timeline: position.timeline,
    ...(machine?.full ? { full: true } : {}),
    ...aside,
    ...(recovering ? { lag_bytes: lagBytes, slots } : {}),
    ...(filling.length > 0 ? { filling } : {}),
  })
}

/**
 * Why a server, or what it follows by, is not encrypted as its document asks; what is to be renewed is one of these.
 */
function tlsFault(
  { attributes }: ResourceData,
  { tls, checks, recovering }: Server,
  { machine, primary }: { machine: Machine | undefined; primary: Server | undefined },
): string {
  const wanted = InstanceAttributes.parse(attributes)
  if (!wanted.tls) return ''
  if (!tls) return 'it takes no TLS'
  if (recovering && primary?.tls === true && !checks) return `it does not check the certificate of ${primary.instance}`
  if (!machine || machine.silent) return ''
  return whyRenew(machine.certificate, { address: wanted.address, days: wanted.tls.days }, Date.now())
}

/** A replica that has more of a setting than it is to have, as its primary had, is set up again. */
function withHeld(found: ActualMaterial, held: unknown): ActualMaterial {
  const resource = resourceOf(found)
  if (!Array.isArray(held) || held.length === 0 || resource.needs_recreate || resource.error) return found
  const error = `it has more than its document says of ${held.join(', ')}, as its primary had`
  const { resource: _, ...meta } = found.meta
  return withMeta({ ...resource, error }, { ...meta, held })
}

function nodeAsFound(
  resource: ResourceData,
  primary: Server | undefined,
  {
    recorded,
    commits,
    machines,
  }: { recorded: readonly ResourceData[]; commits: unknown; machines: ReadonlyMap<string, Machine> },
): ResourceData {
  if (!primary) return resource
  const instances = recorded.filter(({ identifier }) => identifier.type === 'database.instance')
  const known = instances.map(({ identifier }) => instanceSlot(identifier.id))
  const strays = primary.physicalSlots.filter((slot) => slot.startsWith('instance_') && !known.includes(slot))
  const replicas = instances
    .filter(({ identifier, attributes }) => attributes.node === primary.node && identifier.id !== primary.instance)
    .map(({ identifier }) => identifier.id)
  // For one on a full disk log is kept again when it is set up.
  const kept = replicas.filter((replica) => machines.get(replica)?.full !== true)
  const unkept = kept.filter((replica) => !primary.physicalSlots.includes(instanceSlot(replica)))
  const before = String(resource.attributes.primary_instance_id ?? '')
  const changed = before !== primary.instance
  const wrong = [
    strays.length > 0 ? `its log is kept for ${strays.join(', ')}, which no document names` : '',
    primary.drain !== 'none' ? 'its writes were stopped, as it was to be removed' : '',
    changed && before !== '' ? `${primary.instance} takes its writes, and it was left with ${before}` : '',
    unkept.length > 0 ? `${primary.instance} keeps no log for ${unkept.join(', ')}` : '',
    primary.drain === 'none' && waitsElse(commits, primary)
      ? 'its commits do not wait for what they were arranged to wait for'
      : '',
  ].filter((one) => one !== '')
  return {
    ...resource,
    attributes: { ...resource.attributes, primary_instance_id: primary.instance },
    error: wrong.length > 0 ? wrong.join('; ') : resource.error,
  }
}

/** Its commits wait for others than was recorded; where nothing was, nothing is said. */
function waitsElse(recorded: unknown, { instance, waitsFor }: Server): boolean {
  const arranged = Commits.safeParse(recorded)
  return arranged.success && !isSame(arranged.data, commitsIn(waitsFor, instance, arranged.data.of))
}

function databaseAsFound(resource: ResourceData, at: Server | undefined): ResourceData {
  if (!at) return resource
  if (!at.database.there) return { ...resource, needs_recreate: true }
  if (at.drain !== 'none') return resource
  const owner = resource.attributes.owner === '' ? adminRole : String(resource.attributes.owner)
  const faults = [
    ...at.database.faults,
    ...(at.database.owner === owner ? [] : [`its owner is ${at.database.owner}, not ${owner}`]),
  ]
  return faults.length > 0 ? { ...resource, error: faults.join('; ') } : resource
}

/** Node -> where each of its servers is. */
function placesOf(instances: readonly ResourceData[]): ReadonlyMap<string, string[]> {
  const found = new Map<string, string[]>()
  for (const { attributes } of instances) {
    const { node, address, port } = InstanceAttributes.parse(attributes)
    found.set(node, [...(found.get(node) ?? []), `${address}:${port}`])
  }
  return found
}

function diskFault({ attributes }: ResourceData, vms: readonly Vm[], disks: readonly Disk[]): string {
  const { vm, disk, disk_mib } = HostAttributes.parse(attributes)
  if (!vms.find(({ id }) => id === vm)?.disks.includes(disk)) return 'its disk is not attached'
  const size = disks.find(({ id }) => id === disk)?.sizeMiB ?? 0
  return size < disk_mib ? `its disk has ${size} MiB instead of ${disk_mib}` : ''
}

/**
 * Machines and disks that this deployment owns and that are not recorded; they carry the purpose
 * that they were made for.
 */
function strayHosts(found: readonly (Vm | Disk)[], known: ReadonlySet<string>): ResourceData[] {
  const seen = new Set(known)
  return found.flatMap(({ ownership }): ResourceData[] => {
    const id = materialName(ownership.purpose)
    if (seen.has(`host::${id}`) || ownership.resource === undefined) return []
    seen.add(`host::${id}`)
    return [{ ...(JSON.parse(ownership.resource) as ResourceData), needs_recreate: true }]
  })
}

function withMeta(resource: ResourceData, meta: ActualMaterial['meta']): ActualMaterial {
  const actual = actualOf(resource)
  return { ...actual, meta: { ...actual.meta, ...meta } }
}
