import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { link, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

/** A process by id and by when it began, so that another process that got the same id later is never taken for it. */
export const ProcessMark = z.object({ pid: z.int().positive(), began: z.string() })
export type ProcessMark = z.infer<typeof ProcessMark>

/** `<home>/up.json`: what `up` runs. Written whole or not at all. */
export const UpFile = z.object({
  state: z.enum(['starting', 'up', 'stopping']),
  supervisor: ProcessMark,
  since: z.number(),
  /** Address of the planner; null until it listens. */
  planner: z.string().nullable(),
  redis: z.string(),
  processes: z.array(ProcessMark.extend({ name: z.string() })),
})
export type UpFile = z.infer<typeof UpFile>

export function upFilePath(home: string): string {
  return join(home, 'up.json')
}

/** What runs by `up` in this home; undefined where there is no such file, or it is not one of ours. */
export async function readUpFile(home: string): Promise<UpFile | undefined> {
  const text = await readFile(upFilePath(home), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    return UpFile.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** Writes the file only where there is none: of two `up` at the same moment one wins. */
export async function claimUpFile(home: string, content: UpFile): Promise<boolean> {
  const draft = await writeDraft(home, content)
  try {
    await link(draft, upFilePath(home))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

export async function writeUpFile(home: string, content: UpFile): Promise<void> {
  await rename(await writeDraft(home, content), upFilePath(home))
}

/** The mark of a process; undefined where it does not run. */
export function markOf(pid: number): ProcessMark | undefined {
  const began = beginOf(pid)
  return began === undefined ? undefined : { pid, began }
}

/** True where exactly this process still runs. */
export function isAlive(mark: ProcessMark): boolean {
  return beginOf(mark.pid) === mark.began
}

async function writeDraft(home: string, content: UpFile): Promise<string> {
  const draft = `${upFilePath(home)}.${randomUUID()}`
  // Only for its owner: the address of Redis may hold a password.
  const file = await open(draft, 'w', 0o600)
  try {
    await file.writeFile(`${JSON.stringify(content, null, 2)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  return draft
}

/**
 * Start time of a process in clock ticks since boot, field 22 of `/proc/<pid>/stat`; elsewhere only whether it runs.
 */
function beginOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return runs(pid) ? 'unknown' : undefined
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name in parentheses may hold anything, so counting begins after the last one; field 3 is the state.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
