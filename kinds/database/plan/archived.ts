import type { StandingMaterial } from '../../../shared/model/material.ts'
import type { BackupSummary } from '../archive/archives.ts'

/**
 * What the inspector found of a node's archive. It stands in the floorplan that a plan is drawn against and is recorded nowhere:
 * the archive itself is the record.
 */
export interface ArchiveSeen {
  deployment: string
  node: string
  /** What its primary writes goes to this line; null where it does not say, or is not archived. */
  line: string | null
  /** The primary's clock, in milliseconds: up to now everything can still be archived. */
  now: number | null
  /** How far the primary has come: the next transaction, and its log; null where it does not say. */
  nextXid: string | null
  end: string | null
  /** Oldest first. */
  backups: BackupSummary[]
}

const type = 'archive'

export function archiveMaterial(seen: ArchiveSeen): StandingMaterial {
  return {
    id: `${type}/${seen.deployment}:${seen.node}`,
    attributes: JSON.parse(JSON.stringify(seen)),
    needs: [],
    meta: {},
  }
}

export function archivesIn(materials: readonly StandingMaterial[]): ArchiveSeen[] {
  return materials
    .filter(({ id }) => id.startsWith(`${type}/`))
    .map(({ attributes }) => attributes as unknown as ArchiveSeen)
}
