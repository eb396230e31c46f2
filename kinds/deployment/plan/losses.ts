import type { Loss } from '../../../shared/model/healing.ts'
import { materialType } from '../../../shared/model/material.ts'
import { observed } from '../../../shared/model/observation.ts'
import type { Inspection } from '../../contract/kind.ts'
import { health } from './observations.ts'

/**
 * Instances whose machine is gone or does not answer. What fails on a machine that answers is its agent's to restart.
 */
export function losses({ materials, observations }: Inspection): Loss[] {
  const healths = observed(observations, health)
  return materials.flatMap(({ id, meta, attributes }): Loss[] => {
    const state = healths.get(id)
    if (materialType(id) !== 'instance' || meta.orphan === true || attributes.intents !== undefined) return []
    if (state !== 'missing' && state !== 'unresponsive') return []
    return [{ subject: id, machine: String(meta.vm ?? ''), is: state === 'missing' ? 'gone' : 'silent' }]
  })
}
