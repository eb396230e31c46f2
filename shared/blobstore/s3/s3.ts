import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3'
import { RemodelError } from '../../runtime/errors.ts'
import type { Blobstore } from '../blobstore.ts'
import { DIGEST, hexOf } from '../digest.ts'
import { spool } from '../spool.ts'
import { download, type OpenFrom, skip } from './download.ts'
import { isAbsent, s3Fault } from './faults.ts'
import { readS3Location, type S3Location } from './location.ts'
import { upload } from './upload.ts'

export interface S3Options {
  /** Larger blobs go up in parts of this size. Default: 16 MiB; the protocol wants 5 MiB at least. */
  partBytes?: number
  /** A blob that was changed this long ago may be about to be swept. Default: one hour; sweeps must wait longer. */
  oldMs?: number
  /** How long a sweep may lie between its last look and its delete. Default: 2 s. */
  sweepMs?: number
}

/** `keep` leaves alone what was changed so short a time ago: it costs a request. */
const freshMs = 600_000

/**
 * Blobs as objects of a bucket: `<prefix>/sha256/ab/<the other 62 digits>`, for any number of Remodels at
 * once. An object is there whole or not at all by the protocol's own promise; its bytes are hashed on their
 * way up and on their way down.
 *
 * An object has no time that could be set, so keeping one writes an empty object beside it:
 * `<prefix>/kept/<64 digits>`. S3 cannot delete on the condition that no such object was written meanwhile. So keeping
 * or putting a blob that was old looks a second time after the longest time that a sweep takes between its look and its
 * delete, and puts the blob again where it is gone.
 */
export class S3Blobstore implements Blobstore {
  readonly location: S3Location
  readonly #client: S3Client
  readonly #options: Required<S3Options>

  private constructor(location: S3Location, options: S3Options) {
    this.location = location
    this.#options = { partBytes: 16 * 2 ** 20, oldMs: 3_600_000, sweepMs: 2000, ...options }
    this.#client = new S3Client({
      region: location.region,
      ...(location.endpoint === undefined ? {} : { endpoint: location.endpoint }),
      forcePathStyle: location.pathStyle,
      // Digests are checked here already; other services than Amazon's often know no trailing checksums.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      maxAttempts: 3,
    })
  }

  /**
   * Throws `invalid-input` for the URL (`readS3Location`), `unsupported` where the bucket is not there or not for us.
   */
  static async open(url: string, options: S3Options = {}): Promise<S3Blobstore> {
    const store = new S3Blobstore(readS3Location(url), options)
    const { location } = store
    try {
      await store.#client.send(new HeadBucketCommand({ Bucket: location.bucket }))
      return store
    } catch (error) {
      store.close()
      // A HEAD has no body that could say what it was that is not there.
      throw s3Fault('looking', location, isAbsent(error) ? { name: 'NoSuchBucket', message: 'no such bucket' } : error)
    }
  }

  /** Lets go of connections. */
  close(): void {
    this.#client.destroy()
  }

  async put(content: Readable | Uint8Array, expected?: string): Promise<{ digest: string; size: number }> {
    if (expected !== undefined) hexOf(expected)
    await using spooled = await spool(content)
    const { digest, size, path } = spooled
    if (expected !== undefined && digest !== expected) {
      const message = 'the bytes are not those of the digest that was expected'
      throw new RemodelError('conflict', message, { details: { expected, found: digest } })
    }
    const there = await this.describe(digest)
    if (there?.size === size && (await this.#refresh(digest, there.changedAt))) return { digest, size }
    const { partBytes } = this.#options
    const blob = { path, size, hex: hexOf(digest) }
    await upload(this.#client, this.location, { Key: this.#at(digest).Key, blob, partBytes })
    return { digest, size }
  }

  async has(digest: string): Promise<boolean> {
    return (await this.describe(digest)) !== null
  }

  async keep(digest: string): Promise<boolean> {
    const there = await this.describe(digest)
    return there !== null && this.#refresh(digest, there.changedAt)
  }

  async describe(digest: string): Promise<{ size: number; changedAt: number } | null> {
    const there = await this.#head(this.#at(digest).Key)
    if (!there || this.#isFresh(there.changedAt)) return there
    const kept = await this.#head(this.#key(`kept/${hexOf(digest)}`))
    return { size: there.size, changedAt: Math.max(there.changedAt, kept?.changedAt ?? 0) }
  }

  async get(digest: string): Promise<Buffer> {
    const chunks: Buffer[] = []
    for await (const chunk of await this.stream(digest)) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  }

  async stream(digest: string): Promise<Readable> {
    const open: OpenFrom = (from, etag) =>
      this.#guard('reading', async () => {
        const object = await this.#client.send(
          new GetObjectCommand({
            ...this.#at(digest),
            ...(from > 0 ? { Range: `bytes=${from}-` } : {}),
            ...(etag === undefined ? {} : { IfMatch: etag }),
          }),
        )
        const size = from + (object.ContentLength ?? 0)
        const whole = object.Body as Readable
        // A service that knows no ranges sends everything again.
        const body = from > 0 && object.ContentRange === undefined ? Readable.from(skip(whole, from)) : whole
        return { body, size, ...(object.ETag === undefined ? {} : { etag: object.ETag }) }
      })
    const first = await open(0).catch((error: RemodelError) => {
      if (!isAbsent(error.cause)) throw error
      throw new RemodelError('not-found', `there is no blob ${digest}`, { details: { digest } })
    })
    return Readable.from(
      download(digest, open, first, () => this.#quarantine(digest)),
      { objectMode: false },
    )
  }

  async delete(digest: string): Promise<void> {
    await this.#remove(this.#at(digest).Key)
    await this.#remove(this.#key(`kept/${hexOf(digest)}`))
  }

  async deleteUnchanged(digest: string, since: number): Promise<boolean> {
    const began = performance.now()
    const there = await this.describe(digest)
    if (!there || there.changedAt > since) return false
    const left = this.#options.sweepMs / 2 - (performance.now() - began)
    if (left <= 0) return false
    const late = AbortSignal.timeout(Math.ceil(left))
    try {
      await this.#remove(this.#at(digest).Key, late)
    } catch (error) {
      // Too slow to be safe, and it may have been deleted: the next sweep sees.
      if (late.aborted) return false
      throw error
    }
    await this.#remove(this.#key(`kept/${hexOf(digest)}`))
    return true
  }

  async *list(): AsyncIterable<{ digest: string; size: number; changedAt: number }> {
    const kept = new Map<string, number>()
    for await (const { name, changedAt } of this.#objects('kept/')) kept.set(name, changedAt)
    for await (const { name, size, changedAt } of this.#objects('sha256/')) {
      const hex = name.replace('/', '')
      const digest = `sha256:${hex}`
      if (DIGEST.test(digest)) yield { digest, size, changedAt: Math.max(changedAt, kept.get(hex) ?? 0) }
    }
  }

  async *#objects(below: string): AsyncGenerator<{ name: string; size: number; changedAt: number }> {
    const prefix = this.#key(below)
    try {
      const where = { Bucket: this.location.bucket, Prefix: prefix }
      for await (const page of paginateListObjectsV2({ client: this.#client }, where)) {
        for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
          yield { name: Key.slice(prefix.length), size: Size, changedAt: LastModified?.getTime() ?? 0 }
        }
      }
    } catch (error) {
      throw s3Fault('listing', this.location, error)
    }
  }

  /** Makes an object count as changed now; false where it is gone. */
  async #refresh(digest: string, changedAt: number): Promise<boolean> {
    if (this.#isFresh(changedAt)) return true
    const Key = this.#key(`kept/${hexOf(digest)}`)
    const mark = new PutObjectCommand({ Bucket: this.location.bucket, Key, Body: new Uint8Array() })
    await this.#guard('keeping', () => this.#client.send(mark))
    if (Date.now() - changedAt < this.#options.oldMs) return true
    await sleep(this.#options.sweepMs)
    return (await this.#head(this.#at(digest).Key)) !== null
  }

  #isFresh(changedAt: number): boolean {
    return Date.now() - changedAt < Math.min(freshMs, this.#options.oldMs)
  }

  async #head(Key: string): Promise<{ size: number; changedAt: number } | null> {
    return this.#guard('looking', async () => {
      const asked = new HeadObjectCommand({ Bucket: this.location.bucket, Key })
      const head = await this.#client.send(asked).catch(unlessAbsent)
      return head ? { size: head.ContentLength ?? 0, changedAt: head.LastModified?.getTime() ?? 0 } : null
    })
  }

  async #remove(Key: string, abortSignal?: AbortSignal): Promise<void> {
    const remove = new DeleteObjectCommand({ Bucket: this.location.bucket, Key })
    await this.#guard('deleting', () => this.#client.send(remove, abortSignal ? { abortSignal } : {}))
  }

  async #quarantine(digest: string): Promise<void> {
    const { Bucket, Key } = this.#at(digest)
    const aside = {
      Bucket,
      Key: this.#key(`quarantine/${hexOf(digest)}`),
      CopySource: [Bucket, ...Key.split('/')].map(encodeURIComponent).join('/'),
    }
    await this.#guard('moving', () => this.#client.send(new CopyObjectCommand(aside)).catch(unlessAbsent))
    await this.delete(digest)
  }

  #at(digest: string): { Bucket: string; Key: string } {
    const hex = hexOf(digest)
    return { Bucket: this.location.bucket, Key: this.#key(`sha256/${hex.slice(0, 2)}/${hex.slice(2)}`) }
  }

  #key(path: string): string {
    return this.location.prefix === '' ? path : `${this.location.prefix}/${path}`
  }

  async #guard<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw s3Fault(what, this.location, error)
    }
  }
}

function unlessAbsent(error: unknown): undefined {
  if (!isAbsent(error)) throw error
  return undefined
}
