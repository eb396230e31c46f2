import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { withoutPassword } from '../shared/api/address.ts'
import { RemodelError } from '../shared/runtime/errors.ts'
import { reasonOf } from '../shared/runtime/system-error.ts'
import { temporaryPath } from '../shared/runtime/temporary.ts'
import { invalidInput } from '../shared/source/document.ts'

export interface LocalFile extends AsyncDisposable {
  path: string
}

/** True for what is fetched from elsewhere, so not from this computer's disk. */
export function isWebAddress(place: string): boolean {
  return /^https?:\/\//i.test(place)
}

/**
 * A path, `file:` URL or `http(s)://` URL as a file of this computer; what was fetched is gone when it is disposed.
 * `digest` is the sum of its bytes as BOSH writes it: SHA-1, or `sha256:` and SHA-256. Throws `invalid-input` where it
 * cannot be had or is something else.
 */
export async function localFile(place: string, digest?: string): Promise<LocalFile> {
  if (/^file:\/\//i.test(place)) return { path: pathOf(place), [Symbol.asyncDispose]: async () => {} }
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(place) && !isWebAddress(place))
    throw refusal(place, 'only http, https and file can be followed: fetch it and give its path')
  if (!isWebAddress(place)) return { path: place, [Symbol.asyncDispose]: async () => {} }
  const temporary = temporaryPath(join(tmpdir(), `remodel-download-${randomUUID()}`))
  try {
    const found = await download(place, temporary.path, digest?.startsWith('sha256:') ? 'sha256' : 'sha1')
    if (digest !== undefined && found !== digest.replace(/^sha(1|256):/, ''))
      throw refusal(place, `the file there has the digest ${found}, not ${digest}`)
    return temporary
  } catch (error) {
    await temporary[Symbol.asyncDispose]()
    throw error
  }
}

async function download(url: string, path: string, algorithm: 'sha1' | 'sha256'): Promise<string> {
  const hash = createHash(algorithm)
  try {
    const answer = await fetch(url)
    if (!answer.ok || !answer.body) throw refusal(url, `the answer there is ${answer.status}, and no file`)
    const measured = async function* (source: AsyncIterable<Uint8Array>) {
      for await (const chunk of source) {
        hash.update(chunk)
        yield chunk
      }
    }
    await pipeline(Readable.fromWeb(answer.body), measured, createWriteStream(path, { mode: 0o600 }))
  } catch (error) {
    if (error instanceof RemodelError) throw error
    throw refusal(url, reasonOf(error) === 'fetch failed' ? 'it cannot be fetched' : reasonOf(error), error)
  }
  return hash.digest('hex')
}

/** A refusal of a file that was fetched, with the address that the user gave in place of where it lay meanwhile. */
export function ofPlace(error: unknown, file: LocalFile, place: string): unknown {
  if (!(error instanceof RemodelError) || !error.faults.some((fault) => fault.file === file.path)) return error
  const named = withoutPassword(place)
  return invalidInput(error.faults.map((fault) => (fault.file === file.path ? { ...fault, file: named } : fault)))
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url)
  } catch (error) {
    throw refusal(url, 'a file URL has no host and names a whole path, as file:///tmp/release.tgz', error)
  }
}

function refusal(place: string, reason: string, cause?: unknown): RemodelError {
  return new RemodelError('invalid-input', `${withoutPassword(place)} cannot be used: ${reason}`, { cause })
}
