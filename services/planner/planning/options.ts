import { z } from 'zod'
import type { Kind, PlanOptions } from '../../../kinds/contract/kind.ts'
import { type OrderOptions, sharedOptions } from '../../../shared/model/order.ts'
import { readInput } from '../../../shared/source/input.ts'

/**
 * The options of an order: those of every kind, and apart from them those of this kind alone. Throws `invalid-input`
 * for one that the kind does not have.
 */
export function optionsOf(
  kind: Pick<Kind, 'name' | 'options'>,
  asked: Partial<OrderOptions>,
): Omit<PlanOptions, 'remove'> {
  const { recreate = false, skipDrain = false, acceptLoss, notBefore, notAfter, ...own } = asked
  const options = { recreate, skipDrain, acceptLoss, notBefore, notAfter }
  if (Object.keys(own).length === 0) return options
  // With those of every kind, so that a fault names the nearest of all.
  const all = z.strictObject({ options: z.strictObject({ ...sharedOptions, ...kind.options?.shape }) })
  readInput(all, { options: own }, `these are not the options of a plan for a ${kind.name}`)
  return { ...options, own: kind.options?.parse(own) }
}
