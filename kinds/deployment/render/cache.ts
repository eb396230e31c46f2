import { appendFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Blobstore } from '../../../shared/blobstore/blobstore.ts'

/** A blob that was seen this long ago is looked for again: it may have been swept. Milliseconds. */
const TRUST = 60_000
/** About 30 MB. The oldest entries go. */
const KEPT = 200_000
const LINE = /^([0-9a-f]{64}) (sha256:[0-9a-f]{64})$/

interface Entry {
  digest: string
  /** When the blob was last known to exist; 0 for an entry from disk. */
  seen: number
}

/**
 * Key of a render -> digest of its bundle. In memory, and in a file of lines that is only ever appended to, so that a
 * crash costs its last line and several planners may share the directory. The file is rewritten when most of it is old.
 * It holds hashes only, no content.
 */
export class RenderCache {
  readonly #blobs: Blobstore
  readonly #file: string | undefined
  readonly #entries = new Map<string, Entry>()
  #loaded: Promise<void> | undefined
  #unwritten: string[] = []

  constructor(blobs: Blobstore, directory?: string) {
    this.#blobs = blobs
    this.#file = directory === undefined ? undefined : join(directory, 'rendered.log')
  }

  /** The digest, where its blob still exists. */
  async find(key: string): Promise<string | undefined> {
    this.#loaded ??= this.#load()
    await this.#loaded
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    if (Date.now() - entry.seen < TRUST) return entry.digest
    if (await this.#blobs.keep(entry.digest)) {
      entry.seen = Date.now()
      return entry.digest
    }
    this.#entries.delete(key)
    return undefined
  }

  set(key: string, digest: string): void {
    this.#entries.set(key, { digest, seen: Date.now() })
    this.#unwritten.push(`${key} ${digest}\n`)
    if (this.#entries.size <= KEPT) return
    const oldest = this.#entries.keys().next().value
    if (oldest !== undefined) this.#entries.delete(oldest)
  }

  /** Writes what is new to the file, in one append. */
  async flush(): Promise<void> {
    const lines = this.#unwritten.splice(0)
    if (this.#file === undefined || lines.length === 0) return
    await appendFile(this.#file, lines.join(''), { mode: 0o600 })
  }

  async #load(): Promise<void> {
    if (this.#file === undefined) return
    await mkdir(join(this.#file, '..'), { recursive: true })
    const text = await readFile(this.#file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return ''
      throw error
    })
    const lines = text.split('\n')
    for (const line of lines) {
      const [, key, digest] = LINE.exec(line) ?? []
      if (key !== undefined && digest !== undefined) this.#entries.set(key, { digest, seen: 0 })
    }
    const torn = lines.at(-1) !== ''
    if (torn || lines.length > 2 * KEPT) await this.#rewrite()
  }

  async #rewrite(): Promise<void> {
    const file = this.#file!
    const kept = [...this.#entries].slice(-KEPT).map(([key, { digest }]) => `${key} ${digest}\n`)
    await writeFile(`${file}.${process.pid}`, kept.join(''), { mode: 0o600 })
    await rename(`${file}.${process.pid}`, file)
  }
}
