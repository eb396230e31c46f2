import { describeFault, RemodelError, toError } from '../../shared/runtime/errors.ts'
import { systemReason } from '../../shared/runtime/system-error.ts'
import type { Context } from '../context.ts'
import { plain } from './style.ts'
import { wrapped } from './wrap.ts'

/** Tells an error on stderr: a sentence and its faults, or a JSON object. A stack only where REMODEL_DEBUG is set. */
export function tellError(thrown: unknown, context: Pick<Context, 'json' | 'style'>): void {
  const error = known(thrown)
  if (context.json) process.stderr.write(`${JSON.stringify({ error: errorDocument(error) })}\n`)
  else process.stderr.write(wrapped(errorLines(error).join('\n'), process.stderr))
  if (process.env.REMODEL_DEBUG) process.stderr.write(`${toError(thrown).stack}\n`)
}

/** An error for machines. `code` is stable. */
function errorDocument(error: RemodelError): Record<string, unknown> {
  return { code: error.code, message: error.message, faults: error.faults, details: error.details }
}

function errorLines(error: RemodelError): string[] {
  return [`remodel: ${plain(error.message)}`, ...error.faults.map((fault) => `  ${plain(describeFault(fault))}`)]
}

/** A refusal of the operating system is shown in words, with the place; anything else is a fault of Remodel's own. */
function known(thrown: unknown): RemodelError {
  if (thrown instanceof RemodelError) return thrown
  const error = toError(thrown)
  const reason = systemReason(error)
  if (reason !== undefined) {
    const { path, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number }
    const place = path ?? (address === undefined ? 'this computer' : [address, port].filter(Boolean).join(':'))
    return new RemodelError('infrastructure', `${place}: ${reason}`, { cause: error })
  }
  return new RemodelError('infrastructure', `unexpected failure: ${error.message} (REMODEL_DEBUG=1 shows where)`, {
    cause: error,
  })
}
