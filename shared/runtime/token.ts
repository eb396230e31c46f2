import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { link, open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { RemodelError } from './errors.ts'

/** `<home>/token`: who can read it may do everything. */
const tokenFile = (home: string) => join(home, 'token')
const shortest = 32

/**
 * The token of TCP callers: REMODEL_TOKEN, else the one of the home, which is made at the first start. Of processes
 * that start at the same moment one makes it. Throws `invalid-input` where REMODEL_TOKEN is short, `unsupported` where
 * others may read the file.
 */
export async function plannerToken(home: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const given = env.REMODEL_TOKEN
  if (given) {
    if (given.length >= shortest && /^[\x21-\x7e]+$/.test(given)) return given
    throw new RemodelError('invalid-input', `REMODEL_TOKEN must have at least ${shortest} characters, without spaces`)
  }
  const path = tokenFile(home)
  const draft = `${path}.${randomUUID()}`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(`${randomBytes(32).toString('base64url')}\n`)
    await file.sync()
    await link(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  } finally {
    await file.close()
    await rm(draft, { force: true })
  }
  const { mode } = await stat(path)
  if ((mode & 0o077) !== 0)
    throw new RemodelError(
      'unsupported',
      `${path} may be read by others: remove it, and the next start makes another one`,
    )
  const token = readHomeToken(home)
  if (token === undefined) throw new RemodelError('unsupported', `${path} holds no token: remove it`)
  return token
}

/** The token of a home, where there is one that this user may read. */
export function readHomeToken(home: string): string | undefined {
  try {
    const text = readFileSync(tokenFile(home), 'utf8').trim()
    return text.length >= shortest ? text : undefined
  } catch {
    return undefined
  }
}

/** Compared in a time that says nothing about where they differ. */
export function sameSecret(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(one), digest(other))
}
