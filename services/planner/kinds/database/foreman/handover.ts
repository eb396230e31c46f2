import type { StandingMaterial } from '../../../../../shared/model/material.ts'
import { linkName } from '../../../../../shared/postgres/names.ts'
import type { NodeResources } from '../operations/operations.ts'

/** The primary role goes from one instance of a node to another, before anything else is done. */
export interface Handover {
  node: string
  from: string
  to: string
  /** `fail-over`: the old one's machine is gone. `switch-over`: the document asks for another one. */
  how: 'fail-over' | 'switch-over'
}

/**
 * Nodes whose primary's machine is gone while a replica runs that has copies of its slots: the one of them that has received
 * most takes over. And nodes whose document names another instance than the primary, which runs. `materials` are the
 * floorplan as it is once that is done. A primary whose machine stands is brought back where it is.
 */
export function handovers(
  materials: readonly StandingMaterial[],
  nodes: readonly NodeResources[],
  wanted: Readonly<Record<string, string>>,
): { handovers: Handover[]; materials: StandingMaterial[]; notes: string[] } {
  const byId = new Map(materials.map((material) => [material.id, material]))
  const runs = (instance: string) => byId.get(`instance/${instance}`)?.meta.health === 'running'
  const found: Handover[] = []
  const notes: string[] = []
  for (const { node_name: node, instances } of nodes) {
    const from = byId.get(`node/${node}`)?.attributes.primary_instance_id
    if (typeof from !== 'string' || from === '') continue
    const others = (instances ?? []).map(({ instance_id }) => instance_id).filter((id) => id !== from && runs(id))
    const lost = byId.get(`host/${byId.get(`instance/${from}`)?.attributes.host_id}`)?.meta.health === 'missing'
    if (!lost) {
      const to = wanted[node]
      if (to !== undefined && to !== from && runs(from) && others.includes(to)) {
        found.push({ node, from, to, how: 'switch-over' })
      }
      continue
    }
    const slots = slotsOf(node, materials)
    const keepsSlots = (id: string) => {
      const kept = byId.get(`instance/${id}`)?.meta.slots
      return slots.every((slot) => Array.isArray(kept) && kept.includes(slot))
    }
    const received = (id: string) => Number(byId.get(`instance/${id}`)?.meta.received ?? 0)
    const [to] = others.filter(keepsSlots).sort((a, b) => received(b) - received(a))
    if (to === undefined)
      notes.push(`node ${node} has no replica that could take over without loss: its primary is brought back`)
    else found.push({ node, from, to, how: 'fail-over' })
  }
  const heirs = new Map(found.map(({ node, to }) => [`node/${node}`, to]))
  const after = materials.map((material) => {
    const heir = heirs.get(material.id)
    return heir === undefined
      ? material
      : { ...material, attributes: { ...material.attributes, primary_instance_id: heir } }
  })
  return { handovers: found, materials: after, notes }
}

/** The slots that other nodes read from this one. Who takes over without them has them miss what came in between. */
function slotsOf(node: string, materials: readonly StandingMaterial[]): string[] {
  return materials
    .filter(({ id, attributes }) => id.startsWith('replication_slot/') && attributes.provider_node === node)
    .map(({ attributes }) => linkName(node, String(attributes.subscriber_node)))
}
