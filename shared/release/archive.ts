import { createHash } from 'node:crypto'
import { pipeline, Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { Header, Pax } from 'tar'
import { RemodelError } from '../runtime/errors.ts'
import { byteOrder } from './fingerprint.ts'

/** Something to be put into an archive. */
export type ArchiveEntry =
  | { type: 'directory'; path: string }
  | { type: 'link'; path: string; target: string }
  | {
      type: 'file'
      path: string
      executable: boolean
      size: number
      sha256?: string
      open: () => AsyncIterable<Buffer>
    }

const BLOCK = 512
const MTIME = new Date(0)

/**
 * A tar.gz that depends on nothing but its entries: order by bytes of the path, times, owners and modes
 * fixed. Fails with `conflict` where a file changed since it was looked at. `compress: false` stores the
 * bytes in the same container.
 */
export function archive(entries: readonly ArchiveEntry[], options: { compress?: boolean } = {}): Readable {
  const gzip = createGzip({ level: options.compress === false ? 0 : 6 })
  // The error of the source reaches the reader, since pipeline destroys the gzip stream with it.
  pipeline(Readable.from(blocks(entries), { objectMode: false }), gzip, () => {})
  return gzip
}

async function* blocks(entries: readonly ArchiveEntry[]): AsyncGenerator<Buffer> {
  for (const entry of [...entries].sort((a, b) => byteOrder(a.path, b.path))) {
    yield* header(entry)
    if (entry.type === 'file') yield* body(entry)
  }
  yield Buffer.alloc(2 * BLOCK)
}

function* header(entry: ArchiveEntry): Generator<Buffer> {
  const data = {
    path: entry.type === 'directory' ? `${entry.path}/` : entry.path,
    mode: entry.type === 'file' && !entry.executable ? 0o644 : 0o755,
    uid: 0,
    gid: 0,
    uname: '',
    gname: '',
    mtime: MTIME,
    size: entry.type === 'file' ? entry.size : 0,
    ...(entry.type === 'link' ? { linkpath: entry.target } : {}),
    type:
      entry.type === 'file'
        ? ('File' as const)
        : entry.type === 'link'
          ? ('SymbolicLink' as const)
          : ('Directory' as const),
  }
  const block = new Header(data)
  const encoded = Buffer.alloc(BLOCK)
  if (block.encode(encoded, 0)) {
    yield new Pax({
      path: data.path,
      size: data.size,
      mtime: MTIME,
      uid: 0,
      gid: 0,
      ...(entry.type === 'link' ? { linkpath: entry.target } : {}),
    }).encode()
  }
  yield encoded
}

async function* body(entry: ArchiveEntry & { type: 'file' }): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of entry.open()) {
    size += chunk.length
    if (size > entry.size) break
    hash.update(chunk)
    yield chunk
  }
  if (size !== entry.size || (entry.sha256 !== undefined && hash.digest('hex') !== entry.sha256)) {
    throw new RemodelError('conflict', `${entry.path} changed while it was being packed`, {
      details: { path: entry.path },
    })
  }
  if (size % BLOCK > 0) yield Buffer.alloc(BLOCK - (size % BLOCK))
}
