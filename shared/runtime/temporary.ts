import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const held = new Set<string>()
const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** A file or folder that is gone when it is disposed of, and with this process at the latest. */
export interface Temporary extends AsyncDisposable {
  path: string
}

/**
 * Holds a path, which may be made afterwards: it is removed when it is disposed of, when the process exits, and when it
 * is ended by a signal that nothing else in it listens to. Only a process that is killed leaves it behind.
 */
export function temporaryPath(path: string): Temporary {
  if (held.size === 0) for (const signal of signals) process.on(signal, endedBy)
  if (held.size === 0) process.on('exit', removeAll)
  held.add(path)
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await rm(path, { recursive: true, force: true })
      held.delete(path)
      if (held.size === 0) letGo()
    },
  }
}

/** A folder for temporary files that only this user may read. */
export async function temporaryFolder(name: string, below = tmpdir()): Promise<Temporary> {
  const folder = temporaryPath(join(below, `${name}-${randomUUID()}`))
  await mkdir(folder.path, { mode: 0o700 })
  return folder
}

function removeAll(): void {
  for (const path of held) rmSync(path, { recursive: true, force: true })
}

/** Another listener of the signal decides how the process ends; the held paths go with it. */
function endedBy(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return
  removeAll()
  letGo()
  process.kill(process.pid, signal)
}

function letGo(): void {
  for (const signal of signals) process.removeListener(signal, endedBy)
  process.removeListener('exit', removeAll)
}
