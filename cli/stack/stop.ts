import { rm } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { isAlive, type ProcessMark, readUpFile, type UpFile, upFilePath } from './up-file.ts'

/** The supervisor gives its services 10 s, then Redis; after this time it is not coming back. */
const SUPERVISOR_MS = 25_000
const LEFTOVER_MS = 10_000

/**
 * Stops what `up` runs in a home, and what a killed `up` has left running. Answers false where nothing ran.
 * Only processes that `up.json` names are ended, and only where they are still the same ones.
 */
export async function stopStack(home: string, tell: (sentence: string) => void): Promise<boolean> {
  const up = await readUpFile(home)
  if (!up) return false
  const ran = isAlive(up.supervisor) || up.processes.some(isAlive)
  if (isAlive(up.supervisor)) {
    signal(up.supervisor, 'SIGTERM')
    if (!(await gone([up.supervisor], SUPERVISOR_MS))) {
      tell(`the supervisor (process ${up.supervisor.pid}) does not leave and is killed`)
      signal(up.supervisor, 'SIGKILL')
    }
  }
  const left = await readUpFile(home)
  if (left) await endLeftovers(left, tell)
  await rm(upFilePath(home), { force: true })
  return ran
}

/** Ends services of a supervisor that is gone: services first, Redis after them. */
export async function endLeftovers(up: UpFile, tell: (sentence: string) => void): Promise<void> {
  const redis = up.processes.filter((one) => one.name === 'redis')
  for (const group of [up.processes.filter((one) => one.name !== 'redis'), redis]) {
    const left = group.filter(isAlive)
    if (left.length === 0) continue
    tell(
      `ending processes that an earlier \`up\` left running: ${left.map((one) => `${one.name} (${one.pid})`).join(', ')}`,
    )
    for (const one of left) signal(one, 'SIGTERM')
    if (await gone(left, LEFTOVER_MS)) continue
    for (const one of left.filter(isAlive)) signal(one, 'SIGKILL')
    await gone(left, LEFTOVER_MS)
  }
}

async function gone(marks: readonly ProcessMark[], timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  while (marks.some(isAlive)) {
    if (Date.now() > deadline) return false
    await setTimeout(25)
  }
  return true
}

function signal(mark: ProcessMark, name: NodeJS.Signals): void {
  try {
    if (isAlive(mark)) process.kill(mark.pid, name)
  } catch (error) {
    // It ended between the look and the signal.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
