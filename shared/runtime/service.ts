import { setFlagsFromString } from 'node:v8'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { toError } from './errors.ts'
import { redisAddress, redisSettings } from './redis.ts'
import { checkSettings, unknownSettings, type Variables } from './settings.ts'
import { reasonOf } from './system-error.ts'

/** A service that runs. Without its `redis` it cannot hand anything back. */
export interface Service {
  redis: Redis
  stop(): Promise<void>
}

/** How often a start that does not come to its end says what it waits for. */
const sayMs = 3000

/** How long leaving waits for a Redis that is away, or for a start that does not end. */
const patienceMs = 5000

/**
 * Runs a service until a signal asks it to leave. `variables` answers what its kinds read of the environment.
 *
 * The first SIGTERM or SIGINT: `stop` finishes or hands back the work, then the process ends with 0. A second one ends
 * it at once with 1, and so does a Redis that stays away for five seconds meanwhile: other processes take over the
 * work. A failing start ends it with 1 and the cause on the log.
 */
export async function runService(
  log: Logger,
  variables: () => Promise<readonly Variables[]>,
  start: () => Promise<Service>,
): Promise<void> {
  // Where a computer has plenty of memory, V8 takes 60 MB and more for young objects alone.
  setFlagsFromString('--max-semi-space-size=4')
  let leaving = false
  let service: Service | undefined
  const running = Promise.resolve()
    .then(async () => {
      const ofKinds = await variables()
      checkSettings(ofKinds)
      for (const sentence of unknownSettings(ofKinds)) log.warn(sentence)
      return start()
    })
    .then((started) => {
      service = started
    })
  const leave = (signal: NodeJS.Signals) => {
    if (leaving) {
      log.warn({ signal }, 'leaving at once: other processes take over its work')
      process.exit(1)
    }
    leaving = true
    log.info({ signal }, 'leaving: finishing its work; a second signal leaves at once')
    let seen = performance.now()
    setInterval(() => {
      if (service?.redis.status === 'ready') seen = performance.now()
      if (performance.now() - seen < patienceMs) return
      log.warn('Redis is away: leaving without it, other processes take over its work')
      process.exit(1)
    }, 200)
    running
      .then(() => service?.stop())
      .then(() => process.exit(0))
      .catch((error) => {
        log.error({ err: toError(error) }, 'could not leave in order')
        process.exit(1)
      })
  }
  process.on('SIGTERM', leave)
  process.on('SIGINT', leave)
  const waiting = setInterval(
    () => log.warn(`not ready yet: is Redis at ${redisAddress(redisSettings())} there?`),
    sayMs,
  )
  running.finally(() => clearInterval(waiting)).catch(() => {})
  try {
    await running
  } catch (error) {
    log.fatal({ err: toError(error), why: reasonOf(error) }, 'could not start')
    process.exit(1)
  }
}
