import type { Loss } from '../../../shared/model/healing.ts'
import { materialType } from '../../../shared/model/material.ts'
import type { Inspection } from '../../contract/kind.ts'

/**
 * Hosts whose machine is gone or does not answer: a plan fails over from them, where they have a primary, and makes
 * them anew. A server that ended on a machine that lives is its agent's to start again.
 */
export function losses({ materials }: Inspection): Loss[] {
  return materials.flatMap(({ id, attributes, meta }): Loss[] => {
    if (materialType(id) !== 'host' || (meta.health !== 'missing' && meta.health !== 'silent')) return []
    return [{ subject: id, machine: String(attributes.vm), is: meta.health === 'missing' ? 'gone' : 'silent' }]
  })
}
