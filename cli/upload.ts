import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Client } from '../shared/api/client.ts'
import { readReleaseDirectory } from '../shared/release/directory.ts'
import { type Put, packRelease } from '../shared/release/pack.ts'
import type { Release } from '../shared/release/release.ts'
import { readReleaseTarball } from '../shared/release/tarball.ts'
import { type Fault, RemodelError } from '../shared/runtime/errors.ts'
import { eachAtMost } from '../shared/runtime/parallel.ts'
import { temporaryPath } from '../shared/runtime/temporary.ts'
import { localFile, ofPlace } from './download.ts'
import { unreadable } from './files.ts'

const askedAtOnce = 16

export interface UploadOptions {
  /** Default for a directory: a version made of its content. A tarball has its own. */
  version?: string
  /** The name that it is asked for by; a release of another name is not uploaded. */
  name?: string
  /** Of what an address on the web gives: SHA-1, or `sha256:` and SHA-256. */
  digest?: string
}

export interface Uploaded {
  release: Release
  /** Blobs that the planner did not have yet. */
  sent: number
  /** Allowed in a release, and most likely not meant. */
  warnings: readonly Fault[]
}

/**
 * Uploads a release directory or tarball, or the tarball at a URL: blobs first, then the release, so that a release in
 * the catalog is always whole. Only blobs that the planner lacks are sent. Throws `invalid-input` with all faults,
 * `conflict` where the version exists with other content.
 */
export async function uploadRelease(given: string, client: Client, options: UploadOptions = {}): Promise<Uploaded> {
  await using file = await localFile(given, options.digest)
  const { path } = file
  const refuseOther = ({ name }: { name: string }) => {
    if (options.name === undefined || options.name === name) return
    throw new RemodelError('invalid-input', `the file there is the release ${name}, not ${options.name}`, {
      details: { release: name },
    })
  }
  const place = await stat(path).catch((error) => {
    throw unreadable(path, error)
  })
  const sent = { count: 0 }
  if (!place.isDirectory()) {
    const release = await readReleaseTarball(path, sender(client, sent)).catch((error) => {
      throw ofPlace(error, file, given)
    })
    refuseOther(release)
    return { release: await client.addRelease(release), sent: sent.count, warnings: [] }
  }
  const local = await readReleaseDirectory(path, options.version === undefined ? {} : { version: options.version })
  refuseOther(local)
  const known = (await client.releases()).find((one) => one.name === local.name && one.version === local.version)
  // Equal fingerprints are equal archives: what the planner has, with all its bytes, need not be packed again.
  const spared = known && isSame(known, local) && (await hasAll(known, client))
  const release = spared ? known : await packRelease(local, sender(client, sent))
  return { release: await client.addRelease(release), sent: sent.count, warnings: local.warnings }
}

/** Sends a file as a blob if the planner lacks it; answers with its digest. */
export async function uploadBlob(
  content: Readable | Uint8Array,
  client: Client,
): Promise<{ digest: string; sent: boolean }> {
  if (content instanceof Uint8Array) {
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`
    if (await client.hasBlob(digest)) return { digest, sent: false }
    await client.putBlob(digest, content)
    return { digest, sent: true }
  }
  // The digest is the address to send to, so it must be known first: the stream goes through a file.
  const temporary = temporaryPath(join(tmpdir(), `remodel-upload-${randomUUID()}`))
  const file = temporary.path
  try {
    const hash = createHash('sha256')
    const measure = new Transform({
      transform(chunk, _encoding, done) {
        hash.update(chunk)
        done(null, chunk)
      },
    })
    await pipeline(content, measure, createWriteStream(file, { mode: 0o600 }))
    const digest = `sha256:${hash.digest('hex')}`
    if (await client.hasBlob(digest)) return { digest, sent: false }
    await client.putBlob(digest, createReadStream(file))
    return { digest, sent: true }
  } finally {
    await temporary[Symbol.asyncDispose]()
  }
}

function sender(client: Client, sent: { count: number }): Put {
  return async (content) => {
    const blob = await uploadBlob(content, client)
    if (blob.sent) sent.count++
    return blob.digest
  }
}

async function hasAll({ packages, jobs }: Release, client: Client): Promise<boolean> {
  let all = true
  await eachAtMost(askedAtOnce, [...packages, ...jobs], async ({ digest }) => {
    if (!(await client.hasBlob(digest))) all = false
  })
  return all
}

interface Fingerprints {
  packages: readonly { name: string; fingerprint: string }[]
  jobs: readonly { name: string; fingerprint: string }[]
}

function isSame(a: Fingerprints, b: Fingerprints): boolean {
  const text = (release: Fingerprints) =>
    JSON.stringify(
      [release.packages, release.jobs].map((list) => list.map((one) => `${one.name} ${one.fingerprint}`).sort()),
    )
  return text(a) === text(b)
}
