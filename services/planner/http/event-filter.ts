import type { EventFilter } from '../../../shared/api/schemas/event.ts'
import type { Ledger, LedgerEvent } from '../../../shared/ledger/ledger.ts'
import { codeOfReason } from '../../../shared/model/reason.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'

/** Of some events of a deployment, in their order, those that a filter lets through. Reads each plan once. */
export function eventFilter(
  ledger: Pick<Ledger, 'plan'>,
  deployment: string,
  { plan, code, reason }: EventFilter,
): (events: readonly LedgerEvent[]) => Promise<LedgerEvent[]> {
  const plans = new Map<string, Promise<ReadonlySet<string>>>()
  const remodelsOf = (id: string) => {
    const known = plans.get(id) ?? remodelsFor(ledger, deployment, { plan: id, reason: reason! })
    plans.set(id, known)
    return known
  }
  return async (events) => {
    const found = events.filter((event) => {
      return (plan === undefined || event.plan === plan) && (code === undefined || event.code === code)
    })
    if (reason === undefined) return found
    const through: LedgerEvent[] = []
    for (const event of found) {
      if (event.remodel !== undefined && (await remodelsOf(event.plan)).has(event.remodel)) through.push(event)
    }
    return through
  }
}

/** Ids of the remodels that are in a plan for this reason; none where the plan was forgotten meanwhile. */
async function remodelsFor(
  ledger: Pick<Ledger, 'plan'>,
  deployment: string,
  { plan, reason }: { plan: string; reason: string },
): Promise<ReadonlySet<string>> {
  try {
    const { remodels } = await ledger.plan(deployment, plan)
    const wanted = remodels.filter(({ reasons }) => reasons.some((one) => codeOfReason(one) === reason))
    return new Set(wanted.map(({ id }) => id))
  } catch (error) {
    if (error instanceof RemodelError && error.code === 'not-found') return new Set()
    throw error
  }
}
