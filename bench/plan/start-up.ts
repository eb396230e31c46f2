import { setTimeout as sleep } from 'node:timers/promises'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { Queues } from '../../shared/queue/queues.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../../test/support/actors.ts'
import { startServices } from '../../test/support/services.ts'
import { atMost, type Figure, median, runs } from '../figure.ts'
import { noopPlan } from './noop-plan.ts'

/**
 * From starting the planner's process to the first job on a queue, with a plan of 10,000 remodels in flight that no
 * planner looks after. The queue is emptied between runs: what is ready is in the ledger.
 */
export async function startUpFigure(bench: string): Promise<Figure> {
  const stack = await startServices({ planner: 1 })
  const settings = { url: stack.redis.url, prefix: 'remodel' }
  const redis = connectRedis(settings, 'service')
  const queues = new Queues(redis, settings)
  try {
    await stack.services[0]!.kill('SIGKILL')
    const ledger = new Ledger(redis, settings)
    const plan = await ledger.store(noopPlan('inflight', 10_000), Date.now())
    await ledger.open('inflight', plan.id, { by: person('bench'), message: '' })
    const queue = queues.get('assemble')
    const values: number[] = []
    for (let i = 0; i < runs; i++) {
      await queue.obliterate({ force: true })
      const started = performance.now()
      const starting = stack.start('planner')
      while ((await queue.getJobCountByTypes('waiting', 'prioritized')) === 0) await sleep(2)
      values.push(performance.now() - started)
      await (await starting).kill('SIGKILL')
    }
    return atMost(
      {
        bench,
        case: 'planner start to first dispatch, 10,000 in flight',
        value: median(values),
        unit: 'ms',
        against: 'process start included',
      },
      1000,
    )
  } finally {
    await queues.close()
    redis.disconnect()
    await stack.stop()
  }
}
