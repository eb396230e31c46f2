import { createInterface } from 'node:readline/promises'
import { RemodelError } from '../shared/runtime/errors.ts'
import type { Context } from './context.ts'

/** Throws where a question would have to be asked and the command has no terminal. */
export function requireConsent(yes: boolean, context: Context, review: string): void {
  if (yes || context.interactive) return
  const why = context.json ? 'with --json nothing is asked' : 'this is not a terminal, so the command cannot ask'
  throw new RemodelError('invalid-input', `${why}: add -y to apply, or look first with \`${review}\``)
}

/** Asks a person; anything but yes is no. */
export async function ask(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const closed = new AbortController()
  // Ctrl-C and the end of the input mean no.
  terminal.once('SIGINT', () => closed.abort())
  terminal.once('close', () => closed.abort())
  try {
    const answer = await terminal.question(question, { signal: closed.signal })
    return /^y(es)?$/i.test(answer.trim())
  } catch {
    process.stdout.write('\n')
    return false
  } finally {
    terminal.close()
  }
}
