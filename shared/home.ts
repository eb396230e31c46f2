import { chmod, mkdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { RemodelError } from './errors.ts'

/** The folder that holds everything of one Remodel on this machine: REMODEL_HOME, else `~/.remodel`. */
export function homeDirectory(env: NodeJS.ProcessEnv = process.env): string {
  return env.REMODEL_HOME ?? join(homedir(), '.remodel')
}

/** Says that a home was made from nothing by `remodel up`. */
export const homeMark = '.remodel-home'

/**
 * Makes the home where it is missing, and sees to it that only its owner can enter: it holds secrets of every deployment. A home
 * that others could enter is closed, and `tell` says so. Throws `unsupported` where the folder is another user's, or is made
 * for all users (as /tmp is).
 */
export async function openHome(home: string, tell: (sentence: string) => void): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 })
  const { uid, mode } = await stat(home)
  const me = process.getuid?.()
  if (me !== undefined && uid !== me)
    throw new RemodelError('unsupported', `${home} belongs to user ${uid}, not to the user of this process (${me})`)
  if ((mode & 0o077) === 0) return
  if ((mode & 0o1000) !== 0 || resolve(home) === '/')
    throw new RemodelError('unsupported', `${home} is for all users: take a folder of your own`)
  await chmod(home, 0o700)
  tell(`${home} was open to other users (mode ${octal(mode)}) and is open to its owner only from now on`)
}

const octal = (mode: number) => (mode & 0o7777).toString(8)
