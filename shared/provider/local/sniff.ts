import { Readable } from 'node:stream'

/** Tells gzip from plain tar by the first two bytes, without losing them. */
export async function sniff(archive: Readable | Uint8Array): Promise<{ input: Readable | Uint8Array; gzip: boolean }> {
  if (!(archive instanceof Readable)) return { input: archive, gzip: isGzip(archive) }
  const chunks = archive[Symbol.asyncIterator]()
  let head = Buffer.alloc(0)
  while (head.length < 2) {
    const next = await chunks.next()
    if (next.done) break
    head = Buffer.concat([head, next.value as Buffer])
  }
  async function* whole() {
    yield head
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value as Buffer
  }
  const input = Readable.from(whole())
  input.once('close', () => archive.destroy())
  return { input, gzip: isGzip(head) }
}

function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b
}
