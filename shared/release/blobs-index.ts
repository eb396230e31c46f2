import { z } from 'zod'
import { invalidInput, type SourceDocument } from '../source/document.ts'

/** A line of `config/blobs.yml`. */
export interface BlobEntry {
  path: string
  size: number
  /** Id in the release's own blobstore; a blob that was never uploaded has none. */
  objectId?: string
  /** sha256 hex, where the index tells it. */
  sha256?: string
  /** The digest as the index has it. */
  sha: string
}

const Index = z
  .record(z.string(), z.looseObject({ size: z.number(), object_id: z.string().nullish(), sha: z.coerce.string() }))
  .nullable()

/** Reads `config/blobs.yml`; throws `invalid-input` where a path leads outside of `blobs`. */
export function readBlobsIndex(document: SourceDocument): BlobEntry[] {
  const entries = Object.entries(document.parse(Index) ?? {})
  const outside = entries.filter(([path]) => path.startsWith('/') || path.split('/').includes('..'))
  if (outside.length > 0) {
    throw invalidInput(
      outside.map(([path]) => document.fault([path], 'the path leads outside of blobs', { found: path })),
    )
  }
  return entries.map(([path, entry]) => {
    const sha256 = /(?:^|;)sha256:([0-9a-f]{64})(?:;|$)/.exec(entry.sha)?.[1]
    return {
      path,
      size: entry.size,
      sha: entry.sha,
      ...(entry.object_id ? { objectId: entry.object_id } : {}),
      ...(sha256 ? { sha256 } : {}),
    }
  })
}
