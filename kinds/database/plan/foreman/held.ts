import { type ActualMaterial, materialName } from '../../../../shared/model/material.ts'
import { type NodeInstances, NodeView } from './node-view.ts'

/**
 * Servers that are left as they are before there is room on their disks, as another server of their node is its
 * primary: what would be written there would fail, and hold up the rest of the plan. `materials`: the floorplan as it
 * is once the primaries are changed; these servers need nothing in it. Where the primary leaves the document they have
 * a fault, so that none of them takes over. Pure.
 */
export function heldServers(
  materials: readonly ActualMaterial[],
  nodes: readonly NodeInstances[],
): { held: ReadonlySet<string>; materials: ActualMaterial[]; notes: string[] } {
  const byId = new Map(materials.map((material) => [material.id, material]))
  const faults = new Map(
    nodes.flatMap((node) => {
      const view = new NodeView(byId, node)
      const full = view.staying.filter((server) => server !== view.primary && view.hasFullDisk(server))
      const goes = !view.staying.includes(view.primary)
      return full.map((server): [string, string] => [`instance/${server}`, goes ? view.whyOut(server) : ''])
    }),
  )
  const held = [...faults.keys()].map(materialName)
  return {
    held: new Set(held),
    materials: materials.map((material) => {
      const fault = faults.get(material.id)
      return fault === undefined ? material : marked(material, fault)
    }),
    notes: held.map((server) => `the disk of ${server} is full: nothing is written on it before there is room`),
  }
}

function marked(material: ActualMaterial, error: string): ActualMaterial {
  const resource = { ...(material.meta.resource as object), needs_recreate: false, error }
  return { ...material, meta: { ...material.meta, resource } }
}
