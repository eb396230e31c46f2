import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from '../../../shared/provider/connection.ts'
import { layout } from '../../../shared/provider/layout.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failedChecks, type JobCheck } from './health-checks.ts'

const pollMs = 25
/** Checks start programs, so they are tried less often. */
const checkMs = 200
/** How long one look lasts: an instance that is healthy within a moment does not travel through the queue again. */
const momentMs = 2000
/**
 * Until the next look: a check that does not hold yet may do so soon; a process that will not stay up
 * is reported before long.
 */
const nextMs = { check: 1000, most: 5000 }

/** What an instance is watched for, beside its processes. */
export interface Watch {
  minMs: number
  maxMs: number
  checks: readonly JobCheck[]
  /** How long ago it was started. */
  startedMs: number
}

/**
 * Waits for a moment until every process has been up for `minMs` without a break and every health check holds: null
 * where it is so, else milliseconds until it is worth looking again. Throws `job-failed` with the ends of the logs
 * where it is not so `maxMs` after the start, or where a process will not come up. (BOSH sleeps `minMs` first and then
 * looks; it knows no checks.)
 */
export async function watchUntilHealthy(
  connection: Connection,
  { minMs, maxMs, checks, startedMs }: Watch,
  signal: AbortSignal,
): Promise<number | null> {
  const began = performance.now()
  for (;;) {
    const processes = await connection.status()
    const young = processes.filter(({ state, uptimeMs }) => state !== 'running' || uptimeMs < minMs)
    const refused = young.length > 0 ? [] : await failedChecks(connection, checks, signal)
    if (young.length + refused.length === 0) return null
    const failing = processes.filter(({ state }) => state === 'failing')
    const passedMs = performance.now() - began
    const leftMs = maxMs - startedMs - passedMs
    if (leftMs <= 0 || failing.length > 0) {
      const named = (failing.length > 0 ? failing : young).map(
        ({ name, state, restarts }) => `${name} (${state}, started again ${restarts} times)`,
      )
      const why = leftMs <= 0 ? `not healthy after ${Math.round(maxMs / 1000)} s` : 'will not stay up'
      const message = `${why}: ${[...named, ...refused].join(', ')}`
      throw new RemodelError('job-failed', message, { details: { log: await logEnds(connection) } })
    }
    if (passedMs >= momentMs) {
      const least = refused.length > 0 ? nextMs.check : Math.max(...young.map(({ uptimeMs }) => minMs - uptimeMs))
      return Math.max(pollMs, Math.min(least, leftMs, nextMs.most))
    }
    await sleep(refused.length > 0 ? checkMs : pollMs, undefined, { signal })
  }
}

/** The last lines of every log on the machine, newest file last. */
async function logEnds(connection: Connection): Promise<string> {
  const script = `find ${layout.log} -type f -size +0 -printf '%T@ %p\\n' | sort -n | tail -4 | cut -d' ' -f2- | while read -r f; do echo "==> $f"; tail -n 20 "$f"; done`
  return (await connection.exec(['/bin/sh', '-c', script])).stdout
}
