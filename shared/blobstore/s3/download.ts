import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { RemodelError } from '../../runtime/errors.ts'

/** Opens an object from a byte on; `etag` refuses another object than the one that was begun with. */
export type OpenFrom = (from: number, etag?: string) => Promise<{ body: Readable; size: number; etag?: string }>

/** How often in a row a download may break without a single byte in between. */
const patience = 5
const pauseMs = 100

/**
 * The bytes of an object, begun anew from where it broke off when the connection is lost. Ends with `infrastructure`
 * where it goes on breaking, and where the bytes are not those of the digest; `broken` is called for these.
 */
export async function* download(
  digest: string,
  open: OpenFrom,
  first: Awaited<ReturnType<OpenFrom>>,
  broken: () => Promise<void>,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let [at, fruitless, part] = [0, 0, first]
  for (;;) {
    const began = at
    try {
      for await (const chunk of part.body) {
        const bytes = chunk as Buffer
        at += bytes.length
        hash.update(bytes)
        yield bytes
      }
    } catch (error) {
      if (++fruitless > patience) throw lost(digest, error)
    } finally {
      part.body.destroy()
    }
    if (at >= first.size) break
    fruitless = at > began ? 0 : fruitless + 1
    if (fruitless > patience) throw lost(digest, undefined)
    part = await again(digest, () => open(at, first.etag), fruitless)
  }
  const found = `sha256:${hash.digest('hex')}`
  if (found === digest) return
  await broken()
  throw new RemodelError('infrastructure', `the stored bytes of ${digest} are broken; they were moved to quarantine`, {
    details: { digest, found },
  })
}

/** The bytes behind the first `count`. */
export async function* skip(body: Readable, count: number): AsyncGenerator<Buffer> {
  let left = count
  for await (const chunk of body) {
    const bytes = chunk as Buffer
    if (bytes.length > left) yield bytes.subarray(left)
    left = Math.max(0, left - bytes.length)
  }
}

async function again(digest: string, open: () => ReturnType<OpenFrom>, fruitless: number) {
  for (let tries = fruitless; ; tries++) {
    await sleep(pauseMs * 2 ** tries)
    try {
      return await open()
    } catch (error) {
      if (error instanceof RemodelError && error.code !== 'infrastructure') throw error
      if (tries >= patience) throw lost(digest, error)
    }
  }
}

function lost(digest: string, cause: unknown): RemodelError {
  return new RemodelError('infrastructure', `reading ${digest} broke off again and again`, {
    details: { digest },
    ...(cause === undefined ? {} : { cause }),
  })
}
