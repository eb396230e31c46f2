import { spawn } from 'node:child_process'
import { open, readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { RemodelError } from '../../shared/errors.ts'
import { prepareHome } from './home.ts'
import { isAlive, readUpFile } from './up-file.ts'

const READY_MS = 75_000

/** Starts `up` as a process that outlives this one, and waits until its planner answers. Its words go to `<home>/log/up.log`. */
export async function startDetached(
  home: string,
  args: readonly string[],
  tell: (sentence: string) => void,
): Promise<{ planner: string; redis: string; pid: number }> {
  const before = await readUpFile(home)
  if (before && isAlive(before.supervisor)) {
    throw new RemodelError(
      'conflict',
      `Remodel is up already at ${before.planner ?? home} (process ${before.supervisor.pid}): stop it with \`remodel down\``,
      {
        details: { pid: before.supervisor.pid, planner: before.planner },
      },
    )
  }
  await prepareHome(home, tell)
  const path = join(home, 'log', 'up.log')
  const log = await open(path, 'a', 0o600)
  const begin = (await stat(path)).size
  const main = resolve(import.meta.dirname, '..', 'main.ts')
  const child = spawn(process.execPath, [main, 'up', '--home', home, '--quiet-services', ...args], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    cwd: '/',
  })
  try {
    const deadline = Date.now() + READY_MS
    while (child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
      const up = await readUpFile(home)
      if (up?.state === 'up' && up.planner !== null && up.supervisor.pid === child.pid) {
        return { planner: up.planner, redis: up.redis, pid: child.pid }
      }
      await setTimeout(25)
    }
    child.kill('SIGTERM')
    const said = (await readFile(path)).subarray(begin).toString('utf8').trim().split('\n').slice(-10)
    throw new RemodelError('unavailable', `Remodel did not come up. ${said.join('\n  ')}`, { details: { log: path } })
  } finally {
    child.unref()
    await log.close()
  }
}
