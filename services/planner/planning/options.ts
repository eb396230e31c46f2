import type { PlanOptions } from '../../../kinds/contract/kind.ts'
import type { OrderOptions } from '../../../shared/model/order.ts'

/** The options of an order: those of every kind, and apart from them those that its kind alone may know. */
export function optionsOf(asked: Partial<OrderOptions>): Omit<PlanOptions, 'remove'> {
  const { recreate = false, skipDrain = false, acceptLoss, notBefore, notAfter, ...own } = asked
  const options = { recreate, skipDrain, acceptLoss, notBefore, notAfter }
  return Object.keys(own).length === 0 ? options : { ...options, own }
}
