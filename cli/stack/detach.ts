import { spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type ErrorCode, RemodelError, toError } from '../../shared/runtime/errors.ts'
import { reasonOf } from '../../shared/runtime/system-error.ts'
import { prepareHome } from './home.ts'
import { isAlive, readUpFile } from './up-file.ts'

const READY_MS = 75_000

/** What the process that stays sends to the one that waits for it, where it does not come up. */
interface StartFailure {
  code: ErrorCode
  message: string
}

/** What the process that stays has to say while it starts. */
interface StartNews {
  told: string
}

/** Passes a sentence on to the process that waits for this one; nothing where no process waits. */
export function reportNews(told: string): void {
  if (process.connected) process.send?.({ told } satisfies StartNews, () => {})
}

/** Tells the process that waits for this one why it does not come up; nothing where no process waits. */
export async function reportFailure(thrown: unknown): Promise<void> {
  if (!process.connected) return
  const error = toError(thrown)
  const failure: StartFailure = {
    code: error instanceof RemodelError ? error.code : 'infrastructure',
    message: reasonOf(error),
  }
  await new Promise((resolve) => process.send?.(failure, resolve))
}

/**
 * Starts `up` as a process that outlives this one, and waits until its planner answers. Its words go
 * to `<home>/log/up.log`.
 */
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
  const main = resolve(import.meta.dirname, '..', 'main.ts')
  const child = spawn(process.execPath, [main, 'up', '--home', home, '--quiet-services', ...args], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
    cwd: '/',
  })
  let failure: StartFailure | undefined
  child.on('message', (message: StartFailure | StartNews) => {
    if ('told' in message) tell(message.told)
    else failure = message
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
    const message = failure?.message ?? `its log is ${path}`
    throw new RemodelError(failure?.code ?? 'unavailable', `Remodel did not come up: ${message}`, {
      details: { log: path },
    })
  } finally {
    if (child.connected) child.disconnect()
    child.unref()
    await log.close()
  }
}
