import { type ActualMaterial, type Attributes, materialName, materialType } from '../../../../shared/model/material.ts'
import type { Fault } from '../../../../shared/runtime/errors.ts'
import { invalidInput } from '../../../../shared/source/document.ts'
import { isOfNode, type Renaming, renamedMaterial, renamedMaterialId } from '../../renaming.ts'
import type { ArchiveSeen } from '../archived.ts'
import { closedNodes } from '../closed.ts'
import { findActual } from '../operations/operations.ts'
import { stateOfFloorplan } from '../state.ts'
import type { Strategy } from '../strategy.ts'

/** Nodes that get another name, and the floorplan as it is then. */
export interface Renamed {
  renamings: readonly PlannedRenaming[]
  materials: readonly ActualMaterial[]
  archives: readonly ArchiveSeen[]
}

export interface PlannedRenaming extends Renaming {
  /** Ids of its materials, as they are before. */
  materials: readonly string[]
}

/**
 * A node of the document that does not exist, on exactly the hosts of a node that exists and that the document has no
 * more, is that node under another name. All else is planned as if it had that name already. Nodes share no host, so
 * there is never more than one that it could be. Throws `invalid-input`, with the place, where some server or link that
 * it takes is not as it should be: a rename mends nothing.
 */
export function renamedNodes(
  strategy: Strategy,
  materials: readonly ActualMaterial[],
  archives: readonly ArchiveSeen[],
): Renamed {
  const start = stateOfFloorplan(materials)
  const exists = (node: string) => findActual(start, 'database.node', node) !== undefined
  const actual = Object.keys(start.resources['database.node'] ?? {}).filter(exists)
  const wanted = strategy.nodes.map(({ node_name }) => node_name)
  const gone = actual.filter((node) => !wanted.includes(node))
  const renamings = wanted
    .filter((node) => start.resources['database.node']?.[node] === undefined)
    .flatMap((to): Renaming[] => {
      const hosts = (strategy.hostsOf[to] ?? []).toSorted().join()
      const from = gone.find((node) => hostsUnder(node, materials).toSorted().join() === hosts)
      return from === undefined ? [] : [{ from, to }]
    })
  const faults = renamings.flatMap(({ from, to }): Fault[] => {
    const why = whyNot(from, materials, renamings)
    const message = `node ${from}, whose hosts these are, would be ${to} from now on, but ${why}: deploy it as ${from} first`
    return why === '' ? [] : [{ path: `nodes[${wanted.indexOf(to)}].name`, message }]
  })
  if (faults.length > 0) throw invalidInput(faults)
  const planned: PlannedRenaming[] = []
  let after = materials
  for (const renaming of renamings) {
    planned.push({ ...renaming, materials: after.filter((one) => isOfNode(one, renaming)).map(({ id }) => id) })
    after = underNewName(after, renaming)
  }
  return { renamings: planned, materials: after, archives: renamings.reduce(archivesAfter, archives) }
}

function hostsUnder(node: string, materials: readonly ActualMaterial[]): string[] {
  return serversOf(node, materials).map(({ attributes }) => String(attributes.host_id))
}

function serversOf(node: string, materials: readonly ActualMaterial[]): ActualMaterial[] {
  return materials.filter(({ id, attributes }) => materialType(id) === 'instance' && attributes.node === node)
}

/**
 * A link that has the new name already got it from an attempt before this one: what its record
 * says is missing is there.
 */
function underNewName(materials: readonly ActualMaterial[], renaming: Renaming): ActualMaterial[] {
  const there = new Set(materials.map(({ id }) => id))
  const own = materials.filter((material) => isOfNode(material, renaming))
  const renamed = own.map((material) => {
    // Numbers of its sequences go by its name: they are set anew.
    const { unshared: _, ...meta } = material.meta
    const after = renamedMaterial({ ...material, meta }, renaming)
    return there.has(after.id) ? found(after) : after
  })
  const names = new Set(renamed.map(({ id }) => id))
  return [...materials.filter((material) => !own.includes(material) && !names.has(material.id)), ...renamed]
}

/**
 * The log of the node is archived under its new name from now on, and no more under the old one, whose backups stay.
 */
function archivesAfter(archives: readonly ArchiveSeen[], { from, to }: Renaming): readonly ArchiveSeen[] {
  return archives.map((archive) => {
    const before = archives.find((one) => one.deployment === archive.deployment && one.node === from)
    if (!before) return archive
    const { line, now, nextXid, end } = before
    if (archive.node === to) return { ...archive, line, now, nextXid, end }
    return archive.node === from ? { ...archive, line: null, now: null, nextXid: null, end: null } : archive
  })
}

function found(material: ActualMaterial): ActualMaterial {
  const { lost: _, missed: __, ...meta } = material.meta
  return { ...material, meta: { ...meta, resource: { ...marksOf(material), needs_recreate: false, error: '' } } }
}

const marksOf = ({ meta }: ActualMaterial) => meta.resource as Attributes & { needs_recreate?: boolean; error?: string }
const isDown = (server: ActualMaterial) => server.meta.health !== 'running' || marksOf(server).needs_recreate === true
const nameOf = ({ id }: ActualMaterial) => materialName(id)

/** Why the node cannot get another name now, as a clause; empty where it can. */
function whyNot(node: string, materials: readonly ActualMaterial[], renamings: readonly Renaming[]): string {
  const down = serversOf(node, materials).find(isDown)
  if (down) return `its server ${nameOf(down)} does not run`
  if (closedNodes(materials).has(node)) return 'it lets no client in yet'
  if (materials.some(({ id, meta }) => id === `node/${node}` && meta.drain !== undefined)) return 'it is being drained'
  if (materials.some(({ id }) => id === `roles_source/${node}`)) return 'it is still being filled from another node'
  const primaries = materials.flatMap(({ id, attributes }) =>
    materialType(id) === 'node' ? [`instance/${String(attributes.primary_instance_id)}`] : [],
  )
  const away = materials.find((server) => primaries.includes(server.id) && isDown(server))
  if (away) return `${nameOf(away)}, the primary of ${String(away.attributes.node)}, does not run`
  const wrong = materials.find(({ id, attributes, meta }) => {
    if (!/^(replication_slot|subscription)\//.test(id)) return false
    if (![attributes.provider_node, attributes.subscriber_node].includes(node)) return false
    const { needs_recreate, error } = marksOf({ id, attributes, meta, needs: [] })
    const amiss = needs_recreate === true || (error ?? '') !== '' || meta.link !== undefined || meta.lost !== undefined
    return amiss && !isHalfRenamed(id, materials, renamings)
  })
  if (!wrong) return ''
  const { provider_node, subscriber_node } = wrong.attributes
  return `the link from ${String(provider_node)} to ${String(subscriber_node)} is not as it should be`
}

/** The slot or the subscription of the link has its new name already. */
function isHalfRenamed(id: string, materials: readonly ActualMaterial[], renamings: readonly Renaming[]): boolean {
  const there = new Set(materials.map((material) => material.id))
  const names: string[] = []
  for (const renaming of renamings) names.push(renamedMaterialId(names.at(-1) ?? id, renaming))
  const pairs = names.filter((name) => name !== id).map((name) => name.slice(name.indexOf('/')))
  return pairs.some((pair) => there.has(`replication_slot${pair}`) || there.has(`subscription${pair}`))
}
