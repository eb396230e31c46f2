import type { Attributes } from '../../../shared/model/material.ts'
import type { StepContext, StepResult } from '../../contract/step.ts'
import type { Resource } from '../inputs.ts'

interface Given {
  event: 'create' | 'update' | 'delete'
  resource: Resource
}

/**
 * What the floorplan says after an event ended well: the resource without its marks, with what was observed on top of
 * its attributes and `more` beside it; nothing after a delete. Rule of the reference: `resource.Event.Apply`.
 */
export function recorded(
  context: StepContext,
  { event, resource }: Given,
  observed: Attributes = {},
  more: Attributes = {},
): StepResult {
  if (event === 'delete') return { floorplan: { [context.material]: null } }
  const { attributes, ...rest } = resource
  const marks = { needs_recreate: false, pending_deletion: false, error: '' }
  const meta = { ...more, resource: { ...rest, ...marks } } as Attributes
  return { floorplan: { [context.material]: { attributes: { ...attributes, ...observed }, needs: [], meta } } }
}
