import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'

export const BINARY = resolve(import.meta.dirname, '../../bin/remodel')

export interface Ran {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs the real command in a process of its own, not on a terminal, with a home of its own and no planner. */
export async function remodel(
  args: readonly string[],
  more: { env?: NodeJS.ProcessEnv; cwd?: string; binary?: string; input?: string } = {},
): Promise<Ran> {
  const {
    REMODEL_PLANNER: _planner,
    REMODEL_URL: _url,
    REMODEL_HOME: _home,
    REDIS_URL: _redis,
    REMODEL_DEBUG: _debug,
    ...env
  } = process.env
  const child = spawn(more.binary ?? BINARY, args, {
    env: { ...env, REMODEL_HOME: '/nonexistent/remodel', ...more.env },
    cwd: more.cwd ?? tmpdir(),
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.on('error', () => {})
  child.stdin.end(more.input ?? '')
  const code = new Promise<number | null>((done, fail) => child.once('close', done).once('error', fail))
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await code, stdout, stderr }
}

/** A folder that is gone when the test is over. */
export async function temporaryFolder(): Promise<AsyncDisposable & { path: string; in(...parts: string[]): string }> {
  const path = await mkdtemp(join(tmpdir(), 'remodel-cli-'))
  return {
    path,
    in: (...parts) => join(path, ...parts),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}
