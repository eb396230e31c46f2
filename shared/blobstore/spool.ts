import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { temporaryPath } from '../runtime/temporary.ts'

/** Bytes in a file of their own, until they are disposed of: where a digest must be known before the bytes are sent. */
export async function spool(
  content: Readable | Uint8Array,
): Promise<AsyncDisposable & { path: string; digest: string; size: number }> {
  const file = temporaryPath(join(tmpdir(), `remodel-spool-${randomUUID()}`))
  const { path } = file
  const dispose = () => file[Symbol.asyncDispose]()
  const hash = createHash('sha256')
  let size = 0
  const measured = async function* (source: AsyncIterable<Buffer | string>) {
    for await (const chunk of source) {
      const bytes = Buffer.from(chunk as Buffer)
      hash.update(bytes)
      size += bytes.length
      yield bytes
    }
  }
  try {
    const source = content instanceof Uint8Array ? Readable.from([Buffer.from(content)]) : content
    await pipeline(source, measured, createWriteStream(path, { flags: 'wx', mode: 0o600 }))
  } catch (error) {
    await dispose()
    throw error
  }
  return { path, digest: `sha256:${hash.digest('hex')}`, size, [Symbol.asyncDispose]: dispose }
}
