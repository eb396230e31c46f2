import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { homeMark, homeRefused, openHome } from '../../shared/runtime/home.ts'

/** Makes the folders of `up`, for their owner only. */
export async function prepareHome(home: string, tell: (sentence: string) => void = () => {}): Promise<void> {
  try {
    await openHome(home, tell)
    if ((await readdir(home)).length === 0) await writeFile(join(home, homeMark), 'made by `remodel up`\n')
    await mkdir(join(home, 'log'), { recursive: true, mode: 0o700 })
    await mkdir(join(home, 'redis'), { recursive: true, mode: 0o700 })
  } catch (error) {
    throw homeRefused(home, error)
  }
}

/**
 * Removes a home with all its data. Refuses (`conflict`) a folder that `up` did not make from nothing, and one that
 * something is mounted below: removing would reach through the mount.
 */
export async function purgeHome(home: string): Promise<void> {
  const entries = await readdir(home).catch(() => undefined)
  if (entries === undefined) return
  if (!entries.includes(homeMark)) {
    throw new RemodelError(
      'conflict',
      `${home} had other files in it before \`remodel up\`, so it is not removed: do that by hand`,
    )
  }
  const mounted = (await mounts()).filter((mount) => mount === home || mount.startsWith(`${home}/`))
  if (mounted.length > 0) {
    throw new RemodelError('conflict', `${home} is not removed: ${mounted[0]} is mounted below it`, {
      details: { mounted },
    })
  }
  await rm(home, { recursive: true, force: true })
}

async function mounts(): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '')
  // Field 5 is the place; spaces in it are written in octal.
  return table
    .split('\n')
    .map((line) =>
      (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
}
