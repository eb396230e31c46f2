import type { Connection } from '../../../shared/provider/connection.ts'
import { layout, scriptPath } from '../../../shared/provider/layout.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { type HealthCheck, healthChecksFile, readHealthChecks } from '../health-checks.ts'

const defaultSeconds = 5

/** A check of one job on one instance. */
export interface JobCheck {
  job: string
  /** The check, as people read it. */
  name: string
  argv: string[]
  env: Record<string, string>
  timeoutMs: number
}

/** The checks of these jobs: those that their own files have, then those of the manifest. */
export async function checksOf(
  connection: Connection,
  jobs: readonly string[],
  given: Readonly<Record<string, readonly HealthCheck[]>>,
  address: string,
): Promise<JobCheck[]> {
  const found = await Promise.all(
    jobs.map(async (job) =>
      [...(await ownChecks(connection, job)), ...(given[job] ?? [])].map((check) => asCommand(job, check, address)),
    ),
  )
  return found.flat()
}

async function ownChecks(connection: Connection, job: string): Promise<HealthCheck[]> {
  try {
    return readHealthChecks(String(await connection.read(`${layout.jobs}/${job}/${healthChecksFile}`)))
  } catch (error) {
    if (error instanceof RemodelError && error.code === 'not-found') return []
    throw error
  }
}

/** Bash opens connections itself: a machine need have no client of HTTP. */
const opens = 'exec 3<>"/dev/tcp/$ADDRESS/$PORT" || exit 1'
const asks = [
  opens,
  'printf "GET %s HTTP/1.0\\r\\nHost: %s:%s\\r\\nConnection: close\\r\\n\\r\\n" "$TARGET" "$ADDRESS" "$PORT" >&3',
  'read -r -u 3 _ status _ || { echo "nothing was answered" >&2; exit 1; }',
  '[[ $status =~ ^$WANTED$ ]] || { echo "the answer is ${status:0:20}" >&2; exit 1; }',
].join('\n')

function asCommand(job: string, check: HealthCheck, own: string): JobCheck {
  const timeoutMs = (check.timeout ?? defaultSeconds) * 1000
  const bash = (script: string) => ['/bin/bash', '-c', script]
  if (check.type === 'command')
    return { job, name: check.command, argv: bash(check.command), env: { PATH: scriptPath }, timeoutMs }
  const { address = own, port } = check
  const env = { PATH: scriptPath, ADDRESS: address, PORT: String(port) }
  const at = `${address.includes(':') ? `[${address}]` : address}:${port}`
  if (check.type === 'tcp') return { job, name: `tcp ${at}`, argv: bash(opens), env, timeoutMs }
  const wanted = check.status === undefined ? '[23][0-9][0-9]' : String(check.status)
  return {
    job,
    name: `http://${at}${check.path}`,
    argv: bash(asks),
    env: { ...env, TARGET: check.path, WANTED: wanted },
    timeoutMs,
  }
}

/** Why checks do not hold, one sentence each; none where all hold. They are tried at the same time. */
export async function failedChecks(
  connection: Connection,
  checks: readonly JobCheck[],
  signal: AbortSignal,
): Promise<string[]> {
  const said = await Promise.all(
    checks.map(async ({ job, name, argv, env, timeoutMs }) => {
      const why = await tried(connection, argv, { env, timeoutMs, signal })
      return why === null ? [] : [`${job}: ${name}: ${why}`]
    }),
  )
  return said.flat()
}

async function tried(
  connection: Connection,
  argv: readonly string[],
  options: { env: Record<string, string>; timeoutMs: number; signal: AbortSignal },
): Promise<string | null> {
  try {
    const { exitCode, stderr, stdout } = await connection.exec(argv, options)
    if (exitCode === 0) return null
    // Bash names itself and the line; what follows is what happened.
    const last = `${stdout}\n${stderr}`.trim().split('\n').at(-1) ?? ''
    return last.split(': ').at(-1) || `it ended with ${exitCode}`
  } catch (error) {
    if (!(error instanceof RemodelError) || error.code !== 'deadline') throw error
    return `it did not end within ${options.timeoutMs / 1000} s`
  }
}
