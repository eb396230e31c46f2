import type { ActualMaterial } from '../../../../shared/model/material.ts'
import { StoppedLink } from '../../api/server.ts'
import { stoppedText } from '../../postgres/links/stopped.ts'

/**
 * What a plan says of nodes that do not get what others write: no plan repairs it, a person decides which row stays.
 */
export function degradedNotes(materials: readonly ActualMaterial[]): string[] {
  return materials.flatMap((material) => {
    const link = StoppedLink.safeParse(material.meta.link)
    if (link.success) return [stoppedText(link.data)]
    const node = String(material.attributes.node_name)
    return lackingOf(material).map((what) => `${node} has no ${what}: the first row of it that comes stops the link`)
  })
}

/** Tables and columns that a node does not have and others do. */
export function lackingOf({ meta }: ActualMaterial): string[] {
  return Array.isArray(meta.lacking) ? meta.lacking.map(String) : []
}

/** What of the tables is likely to be meant otherwise. */
export function tableNotes(materials: readonly ActualMaterial[]): string[] {
  return [...keylessNotes(materials), ...placeNotes(materials)]
}

function placeNotes(materials: readonly ActualMaterial[]): string[] {
  const all = (key: 'misplaced' | 'personal') => [
    ...new Set(materials.flatMap(({ meta }) => (Array.isArray(meta[key]) ? meta[key].map(String) : []))),
  ]
  return [
    ...all('misplaced').map(
      (table) =>
        `table ${table} lies in the schema that Remodel keeps for itself, and no other node gets its rows: ALTER TABLE ${table} SET SCHEMA public`,
    ),
    ...all('personal').map(
      (table) =>
        `table ${table} lies in the schema that has the name of a user: only that user finds it without its schema, as PostgreSQL looks there first`,
    ),
  ]
}

/** Tables without a key: rows of them can be added, and PostgreSQL refuses to change or delete any. */
function keylessNotes(materials: readonly ActualMaterial[]): string[] {
  const nodes = new Map<string, string[]>()
  for (const { attributes, meta } of materials) {
    for (const table of Array.isArray(meta.keyless) ? meta.keyless.map(String) : []) {
      nodes.set(table, [...(nodes.get(table) ?? []), String(attributes.node_name)])
    }
  }
  return [...nodes].map(
    ([table, on]) =>
      `table ${table} has no key on ${on.join(', ')}: PostgreSQL refuses UPDATE and DELETE of its rows, and no row of it can be compared between nodes. Give it a primary key on every node, or REPLICA IDENTITY FULL`,
  )
}
