import { createHash } from 'node:crypto'

/** A file as it enters a fingerprint. */
export interface FingerprintFile {
  /** Path inside the archive. */
  path: string
  /** sha256 hex of the content; of the target text where the mode is `symlink`. */
  sha256: string
  /** null: the mode is not part of the fingerprint (`packaging`, `pre_packaging`, licences). */
  mode: FileMode | null
}
export type FileMode = '100644' | '100755' | 'symlink'

/**
 * BOSH's fingerprint, version 2: sha256 hex over "v2", every file by byte order of its path (path, digest, mode), then
 * the names of the dependencies in byte order. A package's own name is not in it, nor is the content of its
 * dependencies: equal content has equal fingerprints wherever it is declared. Rule: bosh-cli
 * `release/resource/fingerprint.go`.
 */
export function fingerprint(files: readonly FingerprintFile[], dependencies: readonly string[] = []): string {
  const hash = createHash('sha256').update('v2')
  for (const file of [...files].sort((a, b) => byteOrder(a.path, b.path))) {
    hash.update(`${file.path}sha256:${file.sha256}${file.mode ?? ''}`)
  }
  return hash.update([...dependencies].sort(byteOrder).join(',')).digest('hex')
}

/** Order of UTF-8 bytes; JavaScript's own order differs beyond the basic plane. */
export function byteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
