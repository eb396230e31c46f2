import { eventOf } from '../ledger/events.ts'
import type { LedgerReader } from '../ledger/reader.ts'
import { RemodelError } from '../runtime/errors.ts'
import type { HistoryLine } from './plan-history.ts'

/** How many events are in memory at a time. */
const eventsAtOnce = 500

/**
 * Everything of a plan that ended, page by page, as the ledger has it in Redis. Throws `conflict`
 * where it is not whole.
 */
export async function* linesOf(ledger: LedgerReader, deployment: string, plan: string): AsyncGenerator<HistoryLine> {
  const key = `${ledger.base(deployment)}:plan:${plan}`
  const [total, first, last] = await ledger.redis.hmget(key, 'total', 'firstEvent', 'lastEvent')
  const header = await ledger.header(deployment, plan)
  let order = 0
  if (header) yield ['plan', header]
  for await (const page of ledger.remodelPages(deployment, plan)) {
    for (const one of page) yield ['remodel', { order: order++, ...one }]
  }
  if (!header || order !== Number(total)) throw new RemodelError('conflict', `plan ${plan} is not whole in Redis`)
  if (first && last) yield* eventsOf(ledger, deployment, Number(first), Number(last))
}

async function* eventsOf(
  ledger: LedgerReader,
  deployment: string,
  first: number,
  last: number,
): AsyncGenerator<HistoryLine> {
  const stream = `${ledger.base(deployment)}:events`
  for (let from = first; from <= last; ) {
    const entries = await ledger.redis.xrange(stream, `${from}-0`, `${last}-0`, 'COUNT', eventsAtOnce)
    if (entries.length === 0) return
    for (const [, fields] of entries) {
      const event = eventOf(fields[1]!)
      from = event.seq + 1
      yield ['event', event]
    }
  }
}
