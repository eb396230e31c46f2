import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { RemodelError, toError } from '../shared/errors.ts'

/** A file of the user's as text; `-` is the standard input. Throws `invalid-input` where it cannot be read. */
export async function readSource(name: string): Promise<{ name: string; content: string }> {
  if (name === '-') return { name: '<stdin>', content: (await buffer(process.stdin)).toString('utf8') }
  try {
    return { name, content: await readFile(name, 'utf8') }
  } catch (error) {
    throw unreadable(name, error)
  }
}

/** The error for a file that cannot be read or written, by the system's code. */
export function unreadable(name: string, thrown: unknown): RemodelError {
  const { code } = thrown as NodeJS.ErrnoException
  const why: Record<string, string> = {
    ENOENT: 'there is no such file',
    EACCES: 'you may not read it',
    EISDIR: 'it is a folder, not a file',
    ENOTDIR: 'a part of the path is not a folder',
  }
  const reason = (code && why[code]) ?? toError(thrown).message
  return new RemodelError('invalid-input', `${name} cannot be used: ${reason}`, {
    faults: [],
    details: { file: name },
    cause: thrown,
  })
}
