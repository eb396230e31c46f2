import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { Header, Pax } from 'tar'

export interface BundleEntry {
  path: string
  mode: number
  content: Buffer
}

/** Raised whenever the bytes of a bundle change for the same entries. */
export const BUNDLE_FORMAT = 1

const BLOCK = 512
const EPOCH = new Date(0)
/** The most a stored deflate block holds. */
const STORED = 0xffff

/**
 * A tar.gz that is a function of its entries alone: sorted, no owner, no time. Throws nothing.
 *
 * It is stored, not deflated: the bytes that a zlib makes differ between its versions, and a digest that changed with
 * the runtime would restart every job of every deployment.
 */
export function pack(entries: readonly BundleEntry[]): { digest: string; content: Uint8Array<ArrayBuffer> } {
  const parts: Buffer[] = []
  for (const entry of [...entries].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    parts.push(headerOf(entry), entry.content, padding(entry.content.length))
  }
  parts.push(Buffer.alloc(2 * BLOCK))
  const content = gzipStored(Buffer.concat(parts))
  return { digest: `sha256:${createHash('sha256').update(content).digest('hex')}`, content }
}

function headerOf(entry: BundleEntry): Buffer {
  const data = { path: entry.path, mode: entry.mode, size: entry.content.length, uid: 0, gid: 0, mtime: EPOCH }
  const header = new Header({ ...data, type: 'File' })
  const block = Buffer.alloc(BLOCK)
  const needsPax = header.encode(block, 0)
  return needsPax
    ? Buffer.concat([new Pax({ path: entry.path, mtime: EPOCH, size: data.size }).encode(), block])
    : block
}

function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK)
}

/** RFC 1952 around stored blocks of RFC 1951. */
function gzipStored(content: Buffer): Uint8Array<ArrayBuffer> {
  const blocks = Math.max(1, Math.ceil(content.length / STORED))
  const out = Buffer.from(new ArrayBuffer(10 + blocks * 5 + content.length + 8))
  out.set([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])
  let at = 10
  for (let block = 0; block < blocks; block++) {
    const piece = content.subarray(block * STORED, (block + 1) * STORED)
    at = out.writeUInt8(block === blocks - 1 ? 1 : 0, at)
    at = out.writeUInt16LE(piece.length, at)
    at = out.writeUInt16LE(piece.length ^ STORED, at)
    at += piece.copy(out, at)
  }
  at = out.writeUInt32LE(crc32(content), at)
  out.writeUInt32LE(content.length >>> 0, at)
  return out as Uint8Array<ArrayBuffer>
}
