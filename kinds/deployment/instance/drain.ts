import type { Connection } from '../../../shared/provider/connection.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { pause } from '../../../shared/runtime/timer.ts'
import type { StepInput } from '../inputs.ts'
import { lastLines, runScript } from './scripts.ts'

/**
 * Lets a job finish what it does before it is stopped: BOSH's drain protocol. The script prints one integer: zero or
 * more means wait that many seconds and go on; less means wait that many seconds and ask again.
 */
export async function runDrain(
  connection: Connection,
  job: string,
  { next, drain, disk }: Pick<StepInput<'stop-instance'>, 'next' | 'drain' | 'disk'>,
  signal: AbortSignal,
): Promise<void> {
  const stateOf = (size: number) => JSON.stringify({ persistent_disk: size })
  const env = {
    BOSH_JOB_STATE: stateOf(disk.now),
    ...(next.instance === 'keep' ? { BOSH_JOB_NEXT_STATE: stateOf(disk.next) } : {}),
  }
  let args = drain
  for (;;) {
    const result = await runScript(connection, { job, hook: 'drain', args }, { signal, env })
    if (!result) return
    const answer = result.stdout.trim().split('\n').at(-1) ?? ''
    if (result.exitCode !== 0 || !/^-?\d+$/.test(answer)) {
      throw new RemodelError(
        'job-failed',
        `drain of ${job} must exit with 0 and print one integer; it exited with ${result.exitCode} and printed "${answer}"`,
        {
          details: { log: lastLines(`${result.stdout}\n${result.stderr}`, 20) },
        },
      )
    }
    const seconds = Number(answer)
    await pause(Math.abs(seconds) * 1000, signal)
    if (seconds >= 0) return
    args = ['job_check_status', 'hash_unchanged']
  }
}
