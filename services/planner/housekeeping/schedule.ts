import type { Logger } from 'pino'
import { RedisCompiledIndex } from '../../../shared/compilation/compiled.ts'
import { Claims } from '../../../shared/lock/claims.ts'
import { RemodelError, toError } from '../../../shared/runtime/errors.ts'
import { type Loop, startLoop } from '../../../shared/runtime/loop.ts'
import { numberSetting } from '../../../shared/runtime/settings.ts'
import { type CleanParts, cleanUp } from './clean-up.ts'
import { PlanningSessions } from './planning-sessions.ts'

const everyMs = 3_600_000
const dayMs = 24 * 3_600_000

/** What a clean-up works with, on the Redis of the ledger. */
export function cleanParts(parts: Pick<CleanParts, 'ledger' | 'catalog' | 'blobs' | 'kinds' | 'planner'>): CleanParts {
  const { redis, settings } = parts.ledger
  return {
    ...parts,
    compiled: new RedisCompiledIndex(redis, settings),
    sessions: new PlanningSessions(redis, settings),
    claims: new Claims(redis, settings),
    resource: `${settings.prefix}:{supply}:cleaning`,
  }
}

/** How long a blob that no record names is kept, in milliseconds: REMODEL_KEEP_BLOBS_DAYS, 7 by default. */
export function keepBlobsMs(env: NodeJS.ProcessEnv = process.env): number {
  return numberSetting('REMODEL_KEEP_BLOBS_DAYS', env) * dayMs
}

/** Cleans up once an hour; of several planners the first one does it. */
export function startCleaning(parts: CleanParts, log: Logger): Loop {
  const sweep = async () => {
    const cleaned = await cleanUp(parts, { ageMs: keepBlobsMs(), all: false, dryRun: false })
    if (cleaned.blobs > 0) log.info(cleaned, 'blobs that no record names were deleted')
  }
  const failed = (error: unknown) => {
    if (error instanceof RemodelError && error.code === 'locked') return
    log.warn({ err: toError(error) }, 'cleaning up failed; it is tried again')
  }
  return startLoop({ everyMs, turn: sweep, failed })
}
