import type { Group } from '../schema/manifest.ts'
import type { Faults, Sourced } from './faults.ts'

/**
 * What `migrated_from` of a manifest's groups contradicts, whatever exists: as in BOSH, one group moves to one other.
 */
export function checkMigrations(groups: readonly Sourced<Group>[], faults: Faults): void {
  const names = new Set(groups.map(({ value }) => value.name))
  const taken = new Map<string, string>()
  for (const group of groups) {
    for (const [index, { name, az }] of (group.value.migrated_from ?? []).entries()) {
      const at = ['migrated_from', index]
      const { name: own, azs } = group.value
      if (name !== own && names.has(name))
        faults.add(group, at, `group "${name}" cannot move to "${own}" and stay: it is in this manifest`, {
          found: name,
        })
      const other = taken.get(name)
      if (other !== undefined && other !== own)
        faults.add(group, at, `group "${name}" moves to "${other}" already`, { found: name })
      taken.set(name, own)
      if (az !== undefined && !(azs ?? []).includes(az))
        faults.add(group, [...at, 'az'], `az "${az}" is none of group "${own}"`, {
          found: az,
          allowed: azs?.join(', ') ?? 'no az: the group has none',
        })
    }
  }
}
