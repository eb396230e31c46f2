import { Parser, type ReadEntry } from 'tar'

export interface ArchiveFile {
  content: Buffer
  mode: number
}

/** The regular files of a tar or tar.gz by their path without a leading `./`. Throws where the bytes are neither. */
export async function readArchive(bytes: Buffer): Promise<Map<string, ArchiveFile>> {
  const files = new Map<string, ArchiveFile>()
  await new Promise<void>((resolve, reject) => {
    const parser = new Parser({
      strict: true,
      onReadEntry: (entry: ReadEntry) => {
        if (entry.type !== 'File' && entry.type !== 'OldFile') return void entry.resume()
        const parts: Buffer[] = []
        entry.on('data', (part: Buffer) => parts.push(part))
        entry.on('end', () => {
          files.set(entry.path.replace(/^(\.\/)+/, ''), { content: Buffer.concat(parts), mode: entry.mode ?? 0o644 })
        })
      },
    })
    parser.on('error', reject)
    parser.on('end', resolve)
    parser.end(bytes)
  })
  return files
}
