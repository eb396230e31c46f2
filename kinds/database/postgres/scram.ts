import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { saslprep } from './saslprep.ts'

const derive = promisify(pbkdf2)

/** Eight times PostgreSQL's default: some 10 ms for each guess, and for each login. */
const iterations = 32_768
const saltBytes = 16

/** What PostgreSQL stores of a password (SCRAM-SHA-256, RFC 5802). */
export async function verifierOf(password: string, salt: Uint8Array): Promise<string> {
  return encode(password, salt.subarray(0, saltBytes), iterations)
}

/** Whether a stored verifier is of this password. */
export async function verifies(verifier: string | null, password: string): Promise<boolean> {
  const [, rounds, salt] = /^SCRAM-SHA-256\$(\d+):([^$]+)\$/.exec(verifier ?? '') ?? []
  if (verifier === null || rounds === undefined || salt === undefined) return false
  const wanted = Buffer.from(await encode(password, Buffer.from(salt, 'base64'), Number(rounds)))
  const found = Buffer.from(verifier)
  return wanted.length === found.length && timingSafeEqual(wanted, found)
}

async function encode(password: string, salt: Uint8Array, rounds: number): Promise<string> {
  const salted = await derive(saslprep(password), salt, rounds, 32, 'sha256')
  const key = (name: string) => createHmac('sha256', salted).update(name).digest()
  const stored = createHash('sha256').update(key('Client Key')).digest('base64')
  const encoded = Buffer.from(salt).toString('base64')
  return `SCRAM-SHA-256$${rounds}:${encoded}$${stored}:${key('Server Key').toString('base64')}`
}
