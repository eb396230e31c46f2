import type { Readable } from 'node:stream'

/** Content-addressed bytes. A digest is `sha256:<64 hex>`; what a digest names never changes. */
export interface Blobstore {
  /** Puts bytes if absent, atomically; returns their digest. With `expected` other bytes are refused (`conflict`). */
  put(content: Readable | Uint8Array, expected?: string): Promise<{ digest: string; size: number }>
  has(digest: string): Promise<boolean>
  /**
   * As `has`, and a blob that is there counts as put just now, give or take ten minutes. Called before a blob is named
   * in a record, so that it is not swept in between.
   */
  keep(digest: string): Promise<boolean>
  /** Null where it is not there. `changedAt`: milliseconds since the epoch of the last put or `keep`. */
  describe(digest: string): Promise<{ size: number; changedAt: number } | null>
  /**
   * All bytes, checked against the digest. Throws `not-found`, or `infrastructure` where the stored bytes are broken.
   */
  get(digest: string): Promise<Buffer>
  /** A stream that fails at its end where the bytes do not match the digest. */
  stream(digest: string): Promise<Readable>
  delete(digest: string): Promise<void>
  /**
   * Deletes the blob if it was not put or kept after `since`; answers whether it did. A put that comes meanwhile wins.
   */
  deleteUnchanged(digest: string, since: number): Promise<boolean>
  list(): AsyncIterable<{ digest: string; size: number; changedAt: number }>
}
