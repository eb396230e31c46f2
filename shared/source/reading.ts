import { Worker } from 'node:worker_threads'
import { RemodelError, toError } from '../runtime/errors.ts'
import { SourceDocument } from './document.ts'
import type { Tree } from './tree.ts'

/** Characters of one document: twenty times the largest manifest that is publicly known. */
export const longestDocument = 8 * 2 ** 20
/** From this length on a thread of its own reads the document, so that the services' own thread goes on answering. */
const longDocument = 64 * 2 ** 10

/** One large document at a time: each takes a core and some hundred megabytes. */
let turn: Promise<unknown> = Promise.resolve()

/**
 * Reads a document without holding up the thread it is called from. Throws `invalid-input` where the text is no YAML or
 * longer than `longestDocument`.
 */
export async function readDocument(file: string, text: string): Promise<SourceDocument> {
  if (text.length > longestDocument) {
    const found = `${(text.length / 2 ** 20).toFixed(1)} million characters`
    throw new RemodelError('invalid-input', `${file} is too long; nothing was changed`, {
      faults: [{ file, message: 'is too long for a document', found, allowed: `${longestDocument / 2 ** 20} million` }],
    })
  }
  if (text.length < longDocument) return new SourceDocument(file, text)
  const tree = turn.then(() => readElsewhere(text))
  turn = tree.catch(() => {})
  return new SourceDocument(file, text, await tree)
}

/** A thread for one document only: what it took is given back with it. */
function readElsewhere(text: string): Promise<Tree> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL('./thread.ts', import.meta.url), {
      workerData: text,
      env: {},
      execArgv: ['--disable-warning=ExperimentalWarning'],
    })
    thread.once('message', resolve)
    thread.once('error', (error) => reject(toError(error)))
    thread.once('exit', () =>
      reject(new RemodelError('infrastructure', 'the thread that read a document ended without an answer')),
    )
  })
}
