import { setTimeout as sleep } from 'node:timers/promises'
import { RemodelError } from '../../../shared/errors.ts'
import type { Connection } from '../../../shared/provider/connection.ts'
import { layout } from '../../../shared/provider/layout.ts'
import { failedChecks, type JobCheck } from './health-checks.ts'

const pollMs = 25
/** Checks start programs, so they are tried less often. */
const checkMs = 200

/** What an instance is watched for, beside its processes. */
export interface Watch {
  minMs: number
  maxMs: number
  checks: readonly JobCheck[]
}

/**
 * Waits until every process has been up for `minMs` without a break and every health check holds; throws `job-failed` with the ends
 * of the logs where that has not happened after `maxMs`, or where a process will not come up. (BOSH sleeps `minMs` first and
 * then looks; it knows no checks.)
 */
export async function watchUntilHealthy(
  connection: Connection,
  { minMs, maxMs, checks }: Watch,
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + maxMs
  for (;;) {
    const processes = await connection.status()
    const young = processes.filter(({ state, uptimeMs }) => state !== 'running' || uptimeMs < minMs)
    const refused = young.length > 0 ? [] : await failedChecks(connection, checks, signal)
    if (young.length + refused.length === 0) return
    const failing = processes.filter(({ state }) => state === 'failing')
    const late = performance.now() >= until
    if (late || failing.length > 0) {
      const named = (failing.length > 0 ? failing : young).map(
        ({ name, state, restarts }) => `${name} (${state}, started again ${restarts} times)`,
      )
      const why = late ? `not healthy after ${Math.round(maxMs / 1000)} s` : 'will not stay up'
      const message = `${why}: ${[...named, ...refused].join(', ')}`
      throw new RemodelError('job-failed', message, { details: { log: await logEnds(connection) } })
    }
    await sleep(refused.length > 0 ? checkMs : pollMs, undefined, { signal })
  }
}

/** The last lines of every log on the machine, newest file last. */
async function logEnds(connection: Connection): Promise<string> {
  const script = `find ${layout.log} -type f -size +0 -printf '%T@ %p\\n' | sort -n | tail -4 | cut -d' ' -f2- | while read -r f; do echo "==> $f"; tail -n 20 "$f"; done`
  return (await connection.exec(['/bin/sh', '-c', script])).stdout
}
