import { setTimeout as sleep } from 'node:timers/promises'
import { RemodelError } from '../../../shared/errors.ts'
import type { Connection, ProcessStatus } from '../../../shared/provider/connection.ts'
import { layout } from '../../../shared/provider/layout.ts'

const pollMs = 25

/**
 * Waits until every process has been up for `minMs` without a break; throws `job-failed` with the ends of the logs where
 * that has not happened after `maxMs`, or where a process will not come up. (BOSH sleeps `minMs` first and then looks.)
 */
export async function watchUntilHealthy(
  connection: Connection,
  watch: { minMs: number; maxMs: number },
  signal: AbortSignal,
): Promise<ProcessStatus[]> {
  const until = performance.now() + watch.maxMs
  for (;;) {
    const processes = await connection.status()
    if (processes.every((process) => process.state === 'running' && process.uptimeMs >= watch.minMs)) return processes
    const failing = processes.filter((process) => process.state === 'failing')
    const late = performance.now() >= until
    if (late || failing.length > 0) {
      const named = (
        failing.length > 0
          ? failing
          : processes.filter((process) => process.state !== 'running' || process.uptimeMs < watch.minMs)
      )
        .map((process) => `${process.name} (${process.state}, started again ${process.restarts} times)`)
        .join(', ')
      const why = late ? `not healthy after ${Math.round(watch.maxMs / 1000)} s` : 'will not stay up'
      throw new RemodelError('job-failed', `${why}: ${named}`, { details: { log: await logEnds(connection) } })
    }
    await sleep(pollMs, undefined, { signal })
  }
}

/** The last lines of every log on the machine, newest file last. */
async function logEnds(connection: Connection): Promise<string> {
  const script = `find ${layout.log} -type f -size +0 -printf '%T@ %p\\n' | sort -n | tail -4 | cut -d' ' -f2- | while read -r f; do echo "==> $f"; tail -n 20 "$f"; done`
  return (await connection.exec(['/bin/sh', '-c', script])).stdout
}
