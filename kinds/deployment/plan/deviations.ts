import { materialType, type StandingMaterial } from '../../../shared/model/material.ts'
import type { Deviation } from '../../../shared/model/verdict.ts'

/** Machines, instances and disks that are not well, and those that no record names. */
export function deviations(seen: readonly StandingMaterial[]): Deviation[] {
  return seen.flatMap(({ id, meta: { health, orphan, wrong } }): Deviation[] => {
    if (orphan === true) return [{ material: id, what: 'is there, but no deploy has recorded it' }]
    const noted = Array.isArray(wrong) ? wrong.map((what) => ({ material: id, what: String(what) })) : []
    if (typeof health !== 'string' || health === 'running') return noted
    // A machine that is gone is said of its instance; one without an instance is said for itself.
    const told =
      materialType(id) === 'vm' && seen.some((one) => `vm/${one.meta.vm}` === id && one.meta.health === health)
    return told ? noted : [{ material: id, what: phrases[health] ?? `is ${health}` }, ...noted]
  })
}

const phrases: Readonly<Record<string, string>> = {
  failing: 'has a process that does not run',
  unresponsive: 'does not answer',
  missing: 'is gone',
}
