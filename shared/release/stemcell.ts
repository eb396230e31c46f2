import { createReadStream, existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { Name, VersionName } from '../model/names.ts'
import { invalidInput, SourceDocument } from '../source/document.ts'
import { type ArchiveLimits, eachEntry, refuse } from './entries.ts'
import type { Stemcell } from './release.ts'
import { checked } from './release-blobstore.ts'

/** A stemcell as it was read. `digest` of `stemcell` is for the caller to set when the image is put. */
export interface LocalStemcell {
  stemcell: Stemcell
  /** What the image is for a cloud: of a light stemcell, how to find it there. */
  cloudProperties: Record<string, unknown>
  /**
   * Bytes of the image, checked against the manifest: the stream fails (`infrastructure`) at its end where they differ.
   * A light stemcell has none.
   */
  openImage?: () => Readable
}

const Manifest = z.looseObject({
  name: z.string().pipe(Name),
  version: z.string().pipe(VersionName),
  operating_system: z.string().pipe(Name),
  sha1: z.string().nullish(),
  cloud_properties: z.record(z.string(), z.unknown()).nullish(),
})

/**
 * Reads a stemcell, packed (tar, tar.gz) or unpacked: `stemcell.MF` and `image`. Throws `invalid-input`. The whole of a
 * packed one is read through once, since the order of its entries is not fixed; nothing is written.
 */
export async function readStemcell(path: string, options: { limits?: ArchiveLimits } = {}): Promise<LocalStemcell> {
  const facts = await stat(path).catch(() => null)
  if (facts === null) throw invalidInput([{ file: path, message: 'does not exist' }])
  return facts.isDirectory() ? readFolder(path) : readTarball(path, options)
}

async function readFolder(path: string): Promise<LocalStemcell> {
  const file = join(path, 'stemcell.MF')
  if (!existsSync(file)) throw invalidInput([{ file, message: 'does not exist: this is no stemcell' }])
  const image = join(path, 'image')
  const size = existsSync(image) ? (await stat(image)).size : 0
  return describe(new SourceDocument(file, await readFile(file, 'utf8')), size, () => createReadStream(image))
}

async function readTarball(path: string, options: { limits?: ArchiveLimits }): Promise<LocalStemcell> {
  const rules = { file: path, links: 'none' as const, ...options }
  let manifest: string | undefined
  let size = 0
  await eachEntry(createReadStream(path), rules, async (name, entry) => {
    if (name === 'image') size = entry.size
    if (name !== 'stemcell.MF') return
    if (entry.size > 2 ** 20) throw refuse(rules, name, 'is refused: it is larger than a megabyte', String(entry.size))
    manifest = Buffer.concat((await entry.collect()) as Buffer[]).toString('utf8')
  })
  if (manifest === undefined) throw refuse(rules, 'stemcell.MF', 'is missing: this is no stemcell')
  return describe(new SourceDocument(`${path}:stemcell.MF`, manifest), size, () => {
    const image = new PassThrough()
    // One that fails before it is read keeps its error for the reader.
    image.once('error', () => {})
    eachEntry(createReadStream(path), rules, async (name, entry) => {
      if (name === 'image') await pipeline(entry, image)
    }).catch((error: Error) => image.destroy(error))
    return image
  })
}

function describe(document: SourceDocument, size: number, open: () => Readable): LocalStemcell {
  const manifest = document.parse(Manifest)
  const { version, sha1: sha } = manifest
  const what = `the image of stemcell ${manifest.name}/${version}`
  return {
    stemcell: { name: manifest.name, os: manifest.operating_system, version },
    cloudProperties: manifest.cloud_properties ?? {},
    ...(size === 0 ? {} : { openImage: () => (sha ? checked(open(), { id: 'image', sha, what }) : open()) }),
  }
}
