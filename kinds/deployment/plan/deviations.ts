import { type ActualMaterial, materialType } from '../../../shared/model/material.ts'
import { observed } from '../../../shared/model/observation.ts'
import type { Deviation } from '../../../shared/model/verdict.ts'
import type { Inspection } from '../../contract/kind.ts'
import { diskId, slotOf } from './names.ts'
import { faults, type Health, health } from './observations.ts'

/** Machines, instances and disks that are not well, and those that no record names. */
export function deviations({ materials, observations }: Inspection): Deviation[] {
  const [healths, wrong] = [observed(observations, health), observed(observations, faults)]
  const left = new Set(materials.flatMap((one) => (one.attributes.intents === undefined ? [] : leftWith(one))))
  const isIgnored = (intents: unknown) => Array.isArray(intents) && intents.includes('ignored')
  return materials.flatMap(({ id, attributes, meta }): Deviation[] => {
    if (meta.orphan === true) return [{ material: id, what: 'is there, but no deploy has recorded it' }]
    const noted = (wrong.get(id) ?? []).map((what) => ({ material: id, what }))
    if (left.has(id)) return attributes.intents === undefined || isIgnored(attributes.intents) ? [] : noted
    const state = healths.get(id) ?? 'running'
    if (state === 'running') return noted
    // A machine that is gone is said of its instance; one without an instance is said for itself.
    const told =
      materialType(id) === 'vm' && materials.some((one) => `vm/${one.meta.vm}` === id && healths.get(one.id) === state)
    return told ? noted : [{ material: id, what: phrases[state] }, ...noted]
  })
}

/**
 * An instance that is stopped or ignored, with its machine and its disk: how they are is a person's to know, but for a
 * process that runs where it was stopped.
 */
function leftWith({ id, meta }: ActualMaterial): string[] {
  const slot = slotOf(id)
  return [id, `vm/${meta.vm}`, ...(slot ? [diskId(slot.group, slot.index)] : [])]
}

const phrases: Readonly<Record<Exclude<Health, 'running'>, string>> = {
  failing: 'has a process that does not run',
  unresponsive: 'does not answer',
  missing: 'is gone',
}
