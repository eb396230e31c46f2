import type { Ledger, Released } from '../../../shared/ledger/ledger.ts'
import type { StrandedJobs } from '../../../shared/queue/stranded.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { Publisher } from './publish.ts'
import type { Workers } from './workers.ts'

/** How long an attempt has, after its deadline, to report its end by itself. */
const graceMs = 2000
/** How many jobs are looked for at once. */
const page = 256

export interface SweepParts {
  ledger: Ledger
  publisher: Publisher
  workers: Workers
  stranded: Pick<StrandedJobs, 'clear'>
}

/** Ends attempts of a plan that no worker will end: deadlines that passed, workers that are gone. */
export async function endAttempts(deployment: string, plan: string, now: number, parts: SweepParts): Promise<void> {
  const workers = await parts.ledger.workersOf(deployment, plan)
  const gone = await parts.workers.gone(workers)
  const alive = workers.filter((worker) => !gone.includes(worker))
  let ended: string[]
  do ended = await parts.ledger.expire(deployment, plan, graceMs, { gone, alive, now })
  while (ended.length > 0)
}

/**
 * Publishes again what was published before `before` (the deployment's clock), was never claimed and is on no queue:
 * its publication was lost, or the queue was emptied. Only reads where nothing is missing.
 */
export async function publishMissing(
  deployment: string,
  plan: string,
  before: number | '+inf',
  parts: SweepParts,
): Promise<void> {
  for (const queue of await parts.ledger.queuesOf(deployment, plan)) {
    for (let from = 0; ; from += page) {
      const items = await parts.ledger.unclaimed(deployment, plan, queue, { before, from, limit: page })
      if (items.length > 0) await publishAbsent(deployment, queue, items, parts)
      if (items.length < page) break
    }
  }
}

async function publishAbsent(
  deployment: string,
  queue: string,
  items: readonly Released[],
  { publisher, stranded }: SweepParts,
): Promise<void> {
  const ids = await Promise.all(items.map((item) => publisher.jobIdOf(deployment, item)))
  const cleared = await stranded.clear(
    queue,
    ids.filter((id) => id !== null),
    true,
  )
  await failpoint('dispatch.cleared')
  const absent = items.filter((_, i) => ids[i] === null || cleared.includes(ids[i]!))
  if (absent.length > 0) await publisher.publish(deployment, absent)
}
