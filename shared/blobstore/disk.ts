import { createHash, type Hash, randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, rename, rm, stat, unlink, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { RemodelError } from '../runtime/errors.ts'
import { reasonOf } from '../runtime/system-error.ts'
import { temporaryPath } from '../runtime/temporary.ts'
import type { Blobstore } from './blobstore.ts'
import { DIGEST, hexOf } from './digest.ts'

export interface DiskBlobstoreOptions {
  /** Temporary files that were not written to for this long are leftovers of a crash. Default: one hour. */
  leftoverAfterMs?: number
}

/**
 * Blobs as files: `<directory>/sha256/ab/<the other 62 digits>`, for any number of processes at once.
 *
 * Bytes are written to `temporary/`, flushed to the disk and renamed to their place, so a blob is there whole or not at
 * all, even after a power cut. They are checked whenever they are read; broken ones are moved to `quarantine/`, so that
 * they can be looked at, and the next put of the same bytes heals the blob. Putting what is there already counts as a
 * change of it: `list` tells it as fresh.
 *
 * A blob that is to be deleted lies in `aside/` for a moment, until it is known that it was not kept meanwhile. Readers
 * find it there and link it back, and so does `open` after a crash.
 */
export class DiskBlobstore implements Blobstore {
  readonly directory: string

  private constructor(directory: string) {
    this.directory = directory
  }

  /** Makes the directory where it is missing, sweeps leftovers of crashed writers, undoes half deletions. */
  static async open(directory: string, options: DiskBlobstoreOptions = {}): Promise<DiskBlobstore> {
    for (const name of ['sha256', 'temporary', 'quarantine', 'aside'])
      await mkdir(join(directory, name), { recursive: true, mode: 0o700 })
    const oldest = Date.now() - (options.leftoverAfterMs ?? 3_600_000)
    for (const name of await readdir(join(directory, 'temporary'))) {
      const path = join(directory, 'temporary', name)
      const facts = await ifExists(stat(path))
      if (facts && facts.mtimeMs < oldest) await rm(path, { force: true })
    }
    const store = new DiskBlobstore(directory)
    for (const name of await readdir(join(directory, 'aside'))) {
      if (DIGEST.test(digestIn(name))) await store.#linkBack(name)
    }
    return store
  }

  async put(content: Readable | Uint8Array, expected?: string): Promise<{ digest: string; size: number }> {
    if (expected !== undefined) hexOf(expected)
    const file = temporaryPath(join(this.directory, 'temporary', `${process.pid}-${randomUUID()}`))
    const temporary = file.path
    try {
      const { digest, size } = await write(temporary, content)
      if (expected !== undefined && digest !== expected) {
        const message = `the bytes are not those of the digest that was expected`
        throw new RemodelError('conflict', message, { details: { expected, found: digest } })
      }
      await this.#place(temporary, digest, size)
      return { digest, size }
    } catch (error) {
      throw error instanceof RemodelError ? error : diskError('writing a blob failed', error)
    } finally {
      await file[Symbol.asyncDispose]()
    }
  }

  async has(digest: string): Promise<boolean> {
    return (await this.#found(digest, (path) => stat(path))) !== undefined
  }

  async keep(digest: string): Promise<boolean> {
    const now = new Date()
    return (await this.#found(digest, (path) => utimes(path, now, now).then(() => true))) ?? false
  }

  async describe(digest: string): Promise<{ size: number; changedAt: number } | null> {
    const facts = await this.#found(digest, (path) => stat(path))
    return facts ? { size: facts.size, changedAt: facts.mtimeMs } : null
  }

  async get(digest: string): Promise<Buffer> {
    const chunks: Buffer[] = []
    for await (const chunk of await this.stream(digest)) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  }

  async stream(digest: string): Promise<Readable> {
    const file = await this.#found(digest, (path) => open(path, 'r'))
    if (!file) throw new RemodelError('not-found', `there is no blob ${digest}`, { details: { digest } })
    const { ino } = await file.stat()
    const hash = createHash('sha256')
    const checked = new Transform({
      transform(chunk, _, done) {
        hash.update(chunk)
        done(null, chunk)
      },
      flush: (done) => {
        const found = digestOf(hash)
        if (found === digest) done()
        else this.#quarantine(digest, ino).then(() => done(broken(digest, found)), done)
      },
    })
    // An error on either side ends the other one; the reader sees it on `checked`.
    pipeline(file.createReadStream(), checked).catch(() => {})
    return checked
  }

  async delete(digest: string): Promise<void> {
    await ifExists(unlink(this.#path(digest)))
  }

  async deleteUnchanged(digest: string, since: number): Promise<boolean> {
    const path = this.#path(digest)
    const facts = await ifExists(stat(path))
    if (!facts || facts.mtimeMs > since) return false
    // Out of its place first: a process that kept it before has left a time to see, and one that keeps it from here on
    // links it back.
    const name = `${hexOf(digest)}-${randomUUID()}`
    const aside = join(this.directory, 'aside', name)
    const moved = await ifExists(rename(path, aside).then(() => true))
    if (!moved) return false
    const unkept = await ifExists(stat(aside))
    if (unkept && unkept.mtimeMs <= since) {
      await ifExists(unlink(aside))
      return true
    }
    await this.#linkBack(name)
    return false
  }

  async *list(): AsyncIterable<{ digest: string; size: number; changedAt: number }> {
    const root = join(this.directory, 'sha256')
    for (const head of (await readdir(root)).sort()) {
      for (const rest of ((await ifExists(readdir(join(root, head)))) ?? []).sort()) {
        const facts = await ifExists(stat(join(root, head, rest)))
        const digest = `sha256:${head}${rest}`
        if (facts && DIGEST.test(digest)) yield { digest, size: facts.size, changedAt: facts.mtimeMs }
      }
    }
  }

  #path(digest: string): string {
    const hex = hexOf(digest)
    return join(this.directory, 'sha256', hex.slice(0, 2), hex.slice(2))
  }

  /** What is asked of a blob's file, also while the blob lies aside; undefined where there is no such blob. */
  async #found<T>(digest: string, ask: (path: string) => Promise<T>): Promise<T | undefined> {
    const path = this.#path(digest)
    const answer = await ifExists(ask(path))
    if (answer !== undefined) return answer
    const names = await readdir(join(this.directory, 'aside'))
    for (const name of names.filter((one) => one.startsWith(hexOf(digest)))) await this.#link(name)
    // It may have been linked back by another process meanwhile.
    return ifExists(ask(path))
  }

  async #link(name: string): Promise<void> {
    const path = this.#path(digestIn(name))
    await ifExists(link(join(this.directory, 'aside', name), path).catch(unlessExists))
  }

  async #linkBack(name: string): Promise<void> {
    await this.#link(name)
    await ifExists(unlink(join(this.directory, 'aside', name)))
  }

  async #place(temporary: string, digest: string, size: number): Promise<void> {
    const path = this.#path(digest)
    const there = await ifExists(stat(path))
    // Another size is a broken blob: the rename below heals it.
    if (there?.size === size) {
      const now = new Date()
      const touched = await ifExists(utimes(path, now, now).then(() => true))
      if (touched) return
    }
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await rename(temporary, path)
    await flush(dirname(path))
    await flush(dirname(dirname(path)))
  }

  /** Moves broken bytes aside, unless good ones were put in their place since they were read. */
  async #quarantine(digest: string, ino: number): Promise<void> {
    const path = this.#path(digest)
    const there = await ifExists(stat(path))
    if (there?.ino !== ino) return
    const name = `${hexOf(digest)}-${randomUUID()}`
    await ifExists(rename(path, join(this.directory, 'quarantine', name)))
  }
}

/** Of the name of a file in `aside/`: its digits come first. */
const digestIn = (name: string) => `sha256:${name.slice(0, 64)}`

function digestOf(hash: Hash): string {
  return `sha256:${hash.digest('hex')}`
}

async function write(path: string, content: Readable | Uint8Array): Promise<{ digest: string; size: number }> {
  const hash = createHash('sha256')
  let size = 0
  const file = await open(path, 'wx', 0o400)
  try {
    for await (const chunk of content instanceof Uint8Array ? [content] : content) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array)
      hash.update(bytes)
      size += bytes.length
      await file.appendFile(bytes)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return { digest: digestOf(hash), size }
}

/** A rename is on the disk when its folder is. */
async function flush(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function broken(digest: string, found: string): RemodelError {
  const message = `the stored bytes of ${digest} are broken; they were moved to quarantine`
  return new RemodelError('infrastructure', message, { details: { digest, found } })
}

function diskError(message: string, cause: unknown): RemodelError {
  return new RemodelError('infrastructure', `${message}: ${reasonOf(cause)}`, { cause })
}

function unlessExists(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}

/** Undefined where a file is not, or is no more, there. */
async function ifExists<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
