import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { RemodelError } from '../shared/runtime/errors.ts'
import { reasonOf, systemCode } from '../shared/runtime/system-error.ts'

/** A file of the user's as text; `-` is the standard input. Throws `invalid-input` where it cannot be read. */
export async function readSource(name: string): Promise<{ name: string; content: string }> {
  if (name === '-') return { name: '<stdin>', content: (await buffer(process.stdin)).toString('utf8') }
  try {
    return { name, content: await readFile(name, 'utf8') }
  } catch (error) {
    throw unreadable(name, error)
  }
}

/** The error for a file that cannot be read, by the system's code. */
export function unreadable(name: string, thrown: unknown): RemodelError {
  return unusable(name, systemCode(thrown) === 'EACCES' ? 'you may not read it' : reasonOf(thrown), thrown)
}

/** The error for a file that cannot be written. */
export function unwritable(name: string, thrown: unknown): RemodelError {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no folder in which it could be made',
    EACCES: 'you may not write it',
  }
  return unusable(name, reasons[systemCode(thrown) ?? ''] ?? reasonOf(thrown), thrown)
}

function unusable(name: string, reason: string, cause: unknown): RemodelError {
  return new RemodelError('invalid-input', `${name} cannot be used: ${reason}`, { details: { file: name }, cause })
}
