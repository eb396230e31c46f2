import { Ledger } from '../../shared/ledger/ledger.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { startRedis } from '../../test/support/redis.ts'
import { type Figure, medianOf, noted } from '../figure.ts'
import { noopPlan } from './noop-plan.ts'

const remodels = 10_000

/** Writing a large plan to the ledger, reading it back, and opening it. */
export async function ledgerFigures(bench: string): Promise<Figure[]> {
  const server = await startRedis()
  const redis = connectRedis({ url: server.url, prefix: 'bench' }, 'service')
  const ledger = new Ledger(redis, { url: server.url, prefix: 'bench' })
  let serial = 0
  try {
    let last = ''
    const store = await medianOf(async () => {
      const plan = noopPlan(`store-${++serial}`, remodels)
      const started = performance.now()
      last = (await ledger.store(plan, Date.now())).id
      return performance.now() - started
    })
    const read = await medianOf(async () => {
      const started = performance.now()
      const plan = await ledger.plan(`store-${serial}`, last)
      if (plan.remodels.length !== remodels) throw new Error('remodels are missing')
      return performance.now() - started
    })
    const against = 'Redis with fsync always'
    return [
      noted({ bench, case: 'plan of 10,000 remodels stored', value: store, unit: 'ms', against }),
      noted({ bench, case: 'plan of 10,000 remodels read', value: read, unit: 'ms', against }),
    ]
  } finally {
    redis.disconnect()
    await server.stop()
  }
}
