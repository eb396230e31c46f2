import type { Logger } from 'pino'
import { toError } from './errors.ts'

/**
 * Runs a service until it is told to leave.
 *
 * The first SIGTERM or SIGINT: `stop` finishes or hands back what is in hand, then the process ends with 0. A second one
 * ends it at once. A failing start ends it with 1 and the cause on the log.
 */
export async function runService(log: Logger, start: () => Promise<{ stop(): Promise<void> }>): Promise<void> {
  let leaving = false
  const running = start()
  const leave = (signal: NodeJS.Signals) => {
    if (leaving) {
      log.warn({ signal }, 'leaving at once: what was in hand is taken over by others')
      process.exit(1)
    }
    leaving = true
    log.info({ signal }, 'leaving: finishing what is in hand; a second signal leaves at once')
    running
      .then((service) => service.stop())
      .then(() => process.exit(0))
      .catch((error) => {
        log.error({ err: toError(error) }, 'could not leave in order')
        process.exit(1)
      })
  }
  process.on('SIGTERM', leave)
  process.on('SIGINT', leave)
  try {
    await running
  } catch (error) {
    log.fatal({ err: toError(error) }, 'could not start')
    process.exit(1)
  }
}
