import type { Readable } from 'node:stream'

/** Content-addressed bytes. A digest is `sha256:<64 hex>`; what a digest names never changes. */
export interface Blobstore {
  /** Puts bytes if absent, atomically; returns their digest. With `expected` other bytes are refused (`conflict`). */
  put(content: Readable | Uint8Array, expected?: string): Promise<{ digest: string; size: number }>
  has(digest: string): Promise<boolean>
  /** All bytes, checked against the digest. Throws `not-found`, or `infrastructure` where the stored bytes are broken. */
  get(digest: string): Promise<Buffer>
  /** A stream that fails at its end where the bytes do not match the digest. */
  stream(digest: string): Promise<Readable>
  delete(digest: string): Promise<void>
  list(): AsyncIterable<{ digest: string; size: number; changedAt: number }>
}
