import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'

const iterations = 4096

/**
 * What PostgreSQL stores of a password (SCRAM-SHA-256, RFC 5802). The salt follows from deployment and user instead of
 * chance, so that an unchanged document is no change.
 */
export function verifierOf(deployment: string, user: string, password: string): string {
  const salt = createHash('sha256').update(`${deployment}\0${user}`).digest().subarray(0, 16)
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256')
  const key = (name: string) => createHmac('sha256', salted).update(name).digest()
  const stored = createHash('sha256').update(key('Client Key')).digest('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${key('Server Key').toString('base64')}`
}
