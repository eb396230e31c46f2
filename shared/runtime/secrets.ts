import { createHmac, randomBytes } from 'node:crypto'
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const keyBytes = 32

/**
 * Secrets that services of one Remodel must agree on and that stand nowhere: each is derived from one random key
 * by what it is for. The key is in `secret.key` of a folder, which only its owner can read; the first service
 * that wants it makes it.
 */
export class Secrets {
  readonly #key: Buffer

  constructor(key: Buffer) {
    this.#key = key
  }

  static async open(folder: string): Promise<Secrets> {
    const file = join(folder, 'secret.key')
    return new Secrets((await read(file)) ?? (await make(folder, file)))
  }

  /** 32 bytes, the same for the same words. */
  derive(...purpose: readonly string[]): Buffer {
    return createHmac('sha256', this.#key).update(JSON.stringify(purpose)).digest()
  }
}

async function read(file: string): Promise<Buffer | undefined> {
  const key = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return key?.length === keyBytes ? key : undefined
}

/** Of several services that make it at once the first one's key counts: a link is made once, and whole. */
async function make(folder: string, file: string): Promise<Buffer> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const draft = `${file}.${process.pid}.${randomBytes(6).toString('hex')}`
  await writeFile(draft, randomBytes(keyBytes), { mode: 0o600, flag: 'wx' })
  await link(draft, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await unlink(draft)
  return readFile(file)
}
