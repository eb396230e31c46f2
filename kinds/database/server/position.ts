import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { StepContext } from '../../contract/step.ts'

/** The position that an earlier step of the plan has read. */
export async function positionAt(context: StepContext, material: string): Promise<string> {
  const position = (await context.actual(material))?.attributes.position
  if (typeof position === 'string') return position
  throw new RemodelError('infrastructure', `${material} was not read`)
}
