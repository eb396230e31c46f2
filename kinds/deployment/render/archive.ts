import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { eachEntry, jobLimits } from '../../../shared/release/entries.ts'

export interface ArchiveFile {
  content: Buffer
  mode: number
}

/** So little at once that what it unpacks to stays small. */
const pieceBytes = 4096

/**
 * The regular files of a tar or tar.gz by their path without a leading `./`. Throws where the bytes are neither, or
 * unpack to more than a job may hold.
 */
export async function readArchive(bytes: Buffer): Promise<Map<string, ArchiveFile>> {
  const files = new Map<string, ArchiveFile>()
  const rules = { file: 'archive', links: 'any' as const, limits: jobLimits }
  await eachEntry(Readable.from(pieces(bytes)), rules, async (path, entry) => {
    files.set(path, { content: await buffer(entry), mode: entry.mode ?? 0o644 })
  })
  return files
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}
