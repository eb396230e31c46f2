import { chmod, mkdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { RemodelError } from './errors.ts'
import { reasonOf, systemCode } from './system-error.ts'

/** The folder that holds everything of one Remodel on this machine: REMODEL_HOME, else `~/.remodel`. */
export function homeDirectory(env: NodeJS.ProcessEnv = process.env): string {
  return env.REMODEL_HOME ?? join(homedir(), '.remodel')
}

/** Says that a home was made from nothing by `remodel up`. */
export const homeMark = '.remodel-home'

/**
 * Makes the home where it is missing, and sees to it that only its owner can enter: it holds secrets of every
 * deployment. A home that others could enter is closed, and `tell` says so. Throws `unsupported` where the folder is
 * another user's, or is made for all users (as /tmp is), and `invalid-input` where there can be no folder.
 */
export async function openHome(home: string, tell: (sentence: string) => void): Promise<void> {
  await makeFolder(resolve(home)).catch((error) => {
    throw homeRefused(home, error)
  })
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

/** The refusal of a home that cannot be made or used, with the reason and the next step. */
export function homeRefused(home: string, thrown: unknown): RemodelError {
  if (thrown instanceof RemodelError) return thrown
  const missing = systemCode(thrown) === 'ENOENT'
  const reason = missing ? 'no folder can be made there' : reasonOf(thrown)
  return new RemodelError('invalid-input', `${home} cannot be the home: ${reason}; name another with --home`, {
    details: { home },
    cause: thrown,
  })
}

/**
 * Makes a folder and those above it. Not `mkdir` with `recursive`: where the file system says that a folder which is
 * there is not (as below /proc), it tries for ever, on a full processor, deaf to signals.
 */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return
    if (code === 'EEXIST')
      throw new RemodelError('invalid-input', `${path} is a file, and the home is a folder: name another with --home`)
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    await makeFolder(dirname(path))
    await mkdir(path, { mode: 0o700 }).catch(async (again) => {
      if (systemCode(again) !== 'EEXIST') throw again
    })
  }
}

const octal = (mode: number) => (mode & 0o7777).toString(8)
