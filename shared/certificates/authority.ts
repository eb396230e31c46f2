import { createECDH, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { p256 } from '@noble/curves/nist.js'
import type { Secrets } from '../runtime/secrets.ts'
import { type Content, encoded, toBeSigned } from './encoding.ts'

const hour = 3_600_000
const day = 24 * hour
/** Clocks of machines and clients need not agree to the hour. */
const backdated = hour
/** RFC 5280 4.1.2.5: it has no end of its own. Its key is another one as soon as the installation's key is. */
const never = new Date('9999-12-31T23:59:59Z')
const ever = new Date('2020-01-01T00:00:00Z')

/** What a certificate of a server is to say. */
export interface Wanted {
  name: string
  /** What clients may call the server by. */
  hosts: readonly string[]
  addresses: readonly string[]
  days: number
}

/**
 * The certificate authority of one deployment. Its private key is derived from the installation's key, as all secrets
 * are, so it is written down nowhere. Its certificate is the same bytes whenever and wherever it is made.
 */
export class Authority {
  /** PEM. Public. */
  readonly certificate: string
  readonly #secret: Buffer
  readonly #public: KeyObject
  readonly #name: string

  constructor(secrets: Secrets, deployment: string) {
    this.#secret = scalar(secrets, deployment)
    this.#public = publicKey(this.#secret)
    // Of two installations that have a deployment of one name the authorities have two names.
    const key = secrets.derive('certificate authority, name', deployment).toString('hex').slice(0, 8)
    this.#name = `Remodel ${deployment} ${key}`
    const content = {
      serial: secrets.derive('certificate authority, serial', deployment),
      subject: this.#name,
      from: ever,
      until: never,
      authority: true,
      hosts: [],
      addresses: [],
    }
    this.certificate = this.#signed(content, this.#public)
  }

  /** A new key and a certificate for it, both PEM. */
  issue(wanted: Wanted, now = Date.now()): { key: string; certificate: string } {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const content = {
      serial: randomBytes(16),
      subject: wanted.name,
      from: new Date(now - backdated),
      until: new Date(now + wanted.days * day),
      authority: false,
      hosts: wanted.hosts,
      addresses: wanted.addresses,
    }
    return {
      key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      certificate: this.#signed(content, pair.publicKey),
    }
  }

  #signed(content: Omit<Content, 'issuer'>, key: KeyObject): string {
    const spki = (one: KeyObject) => one.export({ type: 'spki', format: 'der' })
    const body = toBeSigned({ ...content, issuer: this.#name }, { own: spki(key), issuers: spki(this.#public) })
    // By RFC 6979, without a random number: what is signed twice is the same twice.
    const signature = p256.sign(body.bytes, this.#secret, { format: 'der', lowS: false })
    return encoded(body, signature)
  }
}

/** A private key of the curve. Of 2^32 digests one is none, so there is a next one. */
function scalar(secrets: Secrets, deployment: string): Buffer {
  for (let n = 0; ; n++) {
    const candidate = secrets.derive('certificate authority, key', deployment, String(n))
    if (p256.utils.isValidSecretKey(candidate)) return candidate
  }
}

function publicKey(secret: Buffer): KeyObject {
  const curve = createECDH('prime256v1')
  curve.setPrivateKey(secret)
  const point = curve.getPublicKey()
  const part = (from: number) => point.subarray(from, from + 32).toString('base64url')
  return createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-256', x: part(1), y: part(33) } })
}
