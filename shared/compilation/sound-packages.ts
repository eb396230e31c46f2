import type { Blobstore } from '../blobstore/blobstore.ts'
import { RemodelError } from '../runtime/errors.ts'
import { eachAtMost } from '../runtime/parallel.ts'
import type { CompiledIndex, CompiledPackage } from './compiled.ts'

/** As many blobs are looked at at once. */
const atOnce = 32
/** A blob that was kept longer ago than this is kept again, so that it is not swept. */
const keptForMs = 600_000

interface Look {
  /** Reads what it has not read yet, so that bytes which changed in their place are found as well. */
  read: boolean
}

/**
 * The compiled index, as far as its bytes are there and whole: an entry whose blob is gone, or is not what its digest
 * says, is taken out and counts as not compiled, so planners and compilers that use this have the package compiled
 * again. A look costs a call for each blob; one that was read is read again only where its blob was changed since.
 */
export class SoundPackages implements CompiledIndex {
  readonly #index: CompiledIndex
  readonly #blobs: Blobstore
  readonly #look: Look
  /** Digest -> time of the last change of a blob that was read and is whole. */
  readonly #whole = new Map<string, number>()

  constructor(index: CompiledIndex, blobs: Blobstore, look: Look) {
    this.#index = index
    this.#blobs = blobs
    this.#look = look
  }

  async find(keys: readonly string[]): Promise<Map<string, CompiledPackage>> {
    const found = await this.#index.find(keys)
    await eachAtMost(atOnce, [...found.values()], async (item) => {
      if (await this.#isSound(item)) return
      await this.#index.drop(item)
      found.delete(item.key)
    })
    return found
  }

  drop(item: CompiledPackage): Promise<void> {
    return this.#index.drop(item)
  }

  async #isSound({ digest, size }: CompiledPackage): Promise<boolean> {
    const there = await this.#blobs.describe(digest)
    if (!there || there.size !== size) return false
    if (this.#look.read && this.#whole.get(digest) !== there.changedAt && !(await this.#isWhole(digest))) return false
    if (Date.now() - there.changedAt > keptForMs) {
      if (!(await this.#blobs.keep(digest))) return false
      there.changedAt = (await this.#blobs.describe(digest))?.changedAt ?? 0
    }
    if (this.#look.read) this.#whole.set(digest, there.changedAt)
    return true
  }

  async #isWhole(digest: string): Promise<boolean> {
    try {
      for await (const _ of await this.#blobs.stream(digest));
      return true
    } catch (error) {
      if (isBlobFault(error)) return false
      throw error
    }
  }
}

/** True for an error that says that a blob is gone (`not-found`) or has other bytes than its digest says (`found`). */
export function isBlobFault(error: unknown): boolean {
  if (!(error instanceof RemodelError) || error.details.digest === undefined) return false
  return error.code === 'not-found' || error.details.found !== undefined
}
