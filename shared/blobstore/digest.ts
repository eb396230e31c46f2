import { RemodelError } from '../runtime/errors.ts'

/** The name of a blob: `sha256:` and 64 hex digits. */
export const DIGEST = /^sha256:[0-9a-f]{64}$/

/** The hex digits of a digest; throws `invalid-input`. */
export function hexOf(digest: string): string {
  if (!DIGEST.test(digest)) {
    throw new RemodelError('invalid-input', 'a digest is sha256: and 64 hex digits', { details: { digest } })
  }
  return digest.slice('sha256:'.length)
}
