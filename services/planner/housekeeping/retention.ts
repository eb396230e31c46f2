import type { Logger } from 'pino'
import type { Ledger } from '../../../shared/ledger/ledger.ts'
import { longestPutOffMs } from '../../../shared/ledger/retention.ts'
import { toError } from '../../../shared/runtime/errors.ts'
import { type Loop, startLoop } from '../../../shared/runtime/loop.ts'
import { numberSetting } from '../../../shared/runtime/settings.ts'

const everyMs = 60_000
const dayMs = 24 * 3600 * 1000
/** How many deployments are looked at each time. */
const atOnce = 500

/**
 * Forgets old history, so that Redis does not grow for ever: of each deployment the newest REMODEL_KEEP_PLANS finished
 * plans (50 by default) and their events are kept; a plan that was never applied within a day goes too. Deployments in
 * which a plan was stored or has ended are looked at, and each of the others once an hour.
 */
export function startRetention(
  ledger: Ledger,
  falls: (deployment: string) => boolean,
  log: Logger,
  env: NodeJS.ProcessEnv = process.env,
): Loop {
  const keep = numberSetting('REMODEL_KEEP_PLANS', env)
  return startLoop({
    everyMs,
    turn: () => forgetOld(ledger, falls, keep, log),
    failed: (error) => log.warn({ err: toError(error) }, 'retention failed; it is tried again'),
  })
}

/** One look at deployments that are due. Ages are by Redis' clock, whatever the clock of this planner says. */
export async function forgetOld(
  ledger: Ledger,
  falls: (deployment: string) => boolean,
  keep: number,
  log: Logger,
): Promise<void> {
  for (const deployment of await ledger.retention.dueForRetention(atOnce)) {
    if (!falls(deployment)) continue
    // Also where nothing is stored there any more: what is there grows old.
    await ledger.retention.putOffRetention(deployment, longestPutOffMs)
    const forgotten = await ledger.retention.forget(deployment, keep, dayMs, await ledger.time())
    if (forgotten > 0) log.info({ deployment, forgotten }, 'old plans were forgotten')
  }
}
