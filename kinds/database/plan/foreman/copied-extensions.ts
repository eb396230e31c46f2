import type { Json } from '../../../../shared/model/material.ts'
import type { RemodelDraft } from '../../../contract/draft.ts'
import type { DatabaseReason } from '../../reasons.ts'
import { materialId } from '../names.ts'
import type { NamedPlan } from '../operations/operations.ts'
import type { DatabaseContext } from './database-context.ts'
import { extensionsOf, workOf } from './steps.ts'

const attempts = 5

/**
 * A node that is copied has the extensions that its source had then: those that the same document adds
 * come behind that. Pure.
 */
export function copiedExtensions(plans: readonly NamedPlan[], context: DatabaseContext): RemodelDraft[] {
  const events = plans.flatMap(({ phases }) => phases.flat())
  const made = events.filter(
    ({ type, resource }) => type === 'create' && resource.identifier.type === 'database.postgres_database',
  )
  return made
    .filter(({ resource }) => context.isCopied(String(resource.attributes.node_name)))
    .filter(({ resource }) => extensionsOf(resource).length > 0)
    .map(({ resource }) => {
      const material = materialId(resource.identifier)
      const { step, input } = workOf({ type: 'update', resource }, context, [])
      return {
        id: `${step} ${material} (behind its copy)`,
        step,
        action: 'update',
        material,
        title: `make the extensions of ${resource.attributes.node_name}`,
        stage: 'extensions',
        reasons: [{ code: 'node-copied' } satisfies DatabaseReason],
        input: { ...(input as Record<string, Json>), copied: false },
        attempts,
      }
    })
}
