import { createReadStream, existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { z } from 'zod'
import { RemodelError } from '../runtime/errors.ts'
import { invalidInput, SourceDocument } from '../source/document.ts'
import { DigestCheck } from './digest.ts'

/** A thing in the blobstore that a release has of its own: `sha` as BOSH writes digests. */
export interface StoredBlob {
  id: string
  sha: string
  /** For messages: `packages/golang`. */
  what: string
}
export type FetchBlob = (blob: StoredBlob) => Promise<Readable>

const Config = z.looseObject({
  blobstore: z
    .looseObject({ provider: z.string(), options: z.looseObject({ blobstore_path: z.string().optional() }).nullish() })
    .nullish(),
})
const Builds = z.looseObject({
  builds: z.record(z.string(), z.looseObject({ blobstore_id: z.string(), sha1: z.coerce.string() })).nullish(),
})

/**
 * Reads from the blobstore named in `config/final.yml` where it is a local folder; any other provider is `unsupported`.
 */
export function localBlobstore(directory: string): FetchBlob {
  return async (blob) => {
    const file = join(directory, 'config/final.yml')
    const config = existsSync(file)
      ? new SourceDocument(file, await readFile(file, 'utf8')).parse(Config).blobstore
      : null
    const path = config?.options?.blobstore_path
    if (config?.provider !== 'local' || path === undefined) {
      throw new RemodelError(
        'unsupported',
        `${blob.what} is in the release's own blobstore (${config?.provider ?? 'none configured'}), which is not read from here; use the release tarball instead`,
        { details: { blob } },
      )
    }
    const source = join(resolve(directory, path), blob.id)
    if (!/^[\w.-]+$/.test(blob.id) || !existsSync(source)) {
      throw new RemodelError('not-found', `${blob.what}: the release's blobstore has no ${blob.id}`, {
        details: { blob },
      })
    }
    return createReadStream(source)
  }
}

/** Where the archive of a vendored package is, by `.final_builds/packages/<name>/index.yml`. Throws `invalid-input`. */
export async function findFinalBuild(directory: string, name: string, fingerprint: string): Promise<StoredBlob> {
  const file = join(directory, '.final_builds/packages', name, 'index.yml')
  if (!existsSync(file))
    throw invalidInput([{ file, message: `does not exist; package ${name} is vendored and nothing says where it is` }])
  const document = new SourceDocument(file, await readFile(file, 'utf8'))
  const builds = document.parse(Builds).builds ?? {}
  const build = builds[fingerprint]
  if (!build) {
    throw invalidInput([
      document.fault(['builds'], `has no build of package ${name}`, {
        found: fingerprint,
        allowed: Object.keys(builds).join(', '),
      }),
    ])
  }
  return { id: build.blobstore_id, sha: build.sha1, what: `packages/${name}` }
}

/**
 * The same bytes; the stream fails with `infrastructure` at its end where they are not those of the digest. Nothing is
 * read before the stream has a reader, so every failure has a listener.
 */
export function checked(source: Readable, blob: StoredBlob): Readable {
  // One that fails before it is read keeps its error for the reader.
  source.once('error', () => {})
  return Readable.from(checkedChunks(source, blob), { objectMode: false })
}

async function* checkedChunks(source: Readable, blob: StoredBlob): AsyncGenerator<Buffer> {
  const check = new DigestCheck(blob.sha)
  for await (const chunk of source) {
    check.update(chunk)
    yield chunk
  }
  const found = check.mismatch()
  if (found === null) return
  const message = `${blob.what}: the blob ${blob.id} has other bytes than its digest says`
  throw new RemodelError('infrastructure', message, { details: { blob, found } })
}
