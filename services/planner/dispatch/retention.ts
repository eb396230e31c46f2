import type { Logger } from 'pino'
import { toError } from '../../../shared/errors.ts'
import type { Ledger } from '../../../shared/ledger/ledger.ts'
import { numberSetting } from '../../../shared/settings.ts'

const everyMs = 60_000
const dayMs = 24 * 3600 * 1000

/**
 * Forgets old history, so that Redis does not grow for ever: of each deployment the newest REMODEL_KEEP_PLANS finished
 * plans (50 by default) and their events are kept; a plan that nobody applied within a day goes too.
 */
export function startRetention(ledger: Ledger, log: Logger, env: NodeJS.ProcessEnv = process.env): { stop(): void } {
  const keep = numberSetting('REMODEL_KEEP_PLANS', env)
  const sweep = async () => {
    for (const deployment of await ledger.deployments()) {
      const forgotten = await ledger.forget(deployment, keep, dayMs, Date.now())
      if (forgotten > 0) log.info({ deployment, forgotten }, 'old plans were forgotten')
    }
  }
  const timer = setInterval(
    () => sweep().catch((error) => log.warn({ err: toError(error) }, 'retention failed; it is tried again')),
    everyMs,
  )
  return { stop: () => clearInterval(timer) }
}
