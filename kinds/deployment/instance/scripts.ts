import type { Connection, ExecResult } from '../../../shared/provider/connection.ts'
import { layout, scriptPath } from '../../../shared/provider/layout.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'

/** The scripts of a job's lifecycle, in the order in which an instance runs them. */
export type Hook = 'pre-start' | 'post-start' | 'post-deploy' | 'pre-stop' | 'drain' | 'post-stop'

/**
 * Runs `bin/<hook>` of all jobs that have one, at the same time, as BOSH's agent does; output goes to the job's own
 * log. A script is over when its own process is: what it leaves behind writes to the log, and is not waited for. Throws
 * `job-failed` that names every job whose script failed, with the end of their output.
 */
export async function runHook(
  connection: Connection,
  jobs: readonly string[],
  hook: Hook,
  options: { signal: AbortSignal; env?: Record<string, string> },
): Promise<void> {
  const results = await Promise.all(
    jobs.map(async (job) => ({ job, result: await runScript(connection, { job, hook }, options) })),
  )
  const ran = results.flatMap(({ job, result }) => (result ? [{ job, result }] : []))
  const failed = ran.filter(({ result }) => result.exitCode !== 0)
  if (failed.length === 0) return
  const names = failed.map(({ job }) => job).join(', ')
  const log = failed
    .map(({ job, result }) => `${job}/${hook}:\n${lastLines(`${result.stdout}\n${result.stderr}`, 20)}`)
    .join('\n')
  throw new RemodelError('job-failed', `${failed.length} of ${ran.length} ${hook} scripts failed: ${names}`, {
    details: { log },
  })
}

/** Runs one script of one job; null where the job has none. */
export async function runScript(
  connection: Connection,
  { job, hook, args = [] }: { job: string; hook: Hook; args?: readonly string[] },
  options: { signal: AbortSignal; env?: Record<string, string> },
): Promise<ExecResult | null> {
  const path = `${layout.jobs}/${job}/bin/${hook}`
  const log = `${layout.log}/${job}/${hook}`
  const script =
    '[ -x "$0" ] || { echo "$ABSENT"; exit 127; }; mkdir -p "${LOG%/*}"; "$0" "$@" >"$LOG.stdout.log" 2>"$LOG.stderr.log"; s=$?; cat "$LOG.stdout.log"; cat "$LOG.stderr.log" >&2; exit $s'
  const result = await connection.exec(['/bin/bash', '-c', script, path, ...args], {
    env: { PATH: scriptPath, LOG: log, ABSENT: absent, ...options.env },
    signal: options.signal,
  })
  return result.exitCode === 127 && result.stdout === `${absent}\n` ? null : result
}

/** Said where a job has no such script: one that is there may end with any code and say nothing. */
const absent = 'remodel: the job has no such script'

export function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n')
}
