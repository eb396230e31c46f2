import { createHash, type Hash } from 'node:crypto'

const LENGTHS = { sha1: 40, sha256: 64, sha512: 128 } as const
type Algorithm = keyof typeof LENGTHS

/**
 * Checks bytes against a digest as BOSH writes it: `<sha1 hex>`, `sha256:<hex>`, `sha512:<hex>`, or several of these
 * with `;` between. All of them must hold.
 */
export class DigestCheck {
  readonly expected: string
  readonly #parts: { algorithm: Algorithm; hex: string; hash: Hash }[]

  constructor(expected: string) {
    this.expected = expected
    this.#parts = expected.split(';').flatMap((part) => {
      const [, algorithm = 'sha1', hex = ''] = /^(?:(sha1|sha256|sha512):)?([0-9a-f]+)$/.exec(part.trim()) ?? []
      const known = algorithm as Algorithm
      return hex.length === LENGTHS[known] ? [{ algorithm: known, hex, hash: createHash(known) }] : []
    })
  }

  /** False where no part of the digest is one that we know: nothing could be checked. */
  get usable(): boolean {
    return this.#parts.length > 0
  }

  update(chunk: Uint8Array): void {
    for (const part of this.#parts) part.hash.update(chunk)
  }

  /** What the bytes have instead, in the form of `expected`; null where they match. To be called once, at the end. */
  mismatch(): string | null {
    const found = this.#parts.map((part) => ({ ...part, found: part.hash.digest('hex') }))
    if (this.usable && found.every((part) => part.found === part.hex)) return null
    return (
      found.map((part) => (part.algorithm === 'sha1' ? part.found : `${part.algorithm}:${part.found}`)).join(';') ||
      'no digest'
    )
  }
}
