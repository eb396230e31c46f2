import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { s3Fault } from './faults.ts'
import type { S3Location } from './location.ts'

/** A blob that lies in a file. */
export interface Spooled {
  readonly path: string
  readonly size: number
  /** SHA-256 of its bytes. */
  readonly hex: string
}

/**
 * Writes a file as the object `Key`: at once, in parts, or as one stream where it is large and the
 * service takes no parts.
 */
export async function upload(
  client: S3Client,
  location: S3Location,
  { Key, blob, partBytes }: { Key: string; blob: Spooled; partBytes: number },
): Promise<void> {
  const inParts = blob.size > partBytes && location.multipart
  const to = { Bucket: location.bucket, Key }
  try {
    if (inParts) {
      // Parts of an upload that fails are taken away again.
      const params = { ...to, Body: createReadStream(blob.path) }
      await new Upload({ client, params, partSize: partBytes, queueSize: 4 }).done()
    } else await client.send(await asOne(to, blob, { checksum: location.checksum, streamed: blob.size > partBytes }))
  } catch (error) {
    throw s3Fault('writing', location, error, switchFor(location, inParts))
  }
}

async function asOne(
  to: { Bucket: string; Key: string },
  { path, size, hex }: Spooled,
  how: { checksum: boolean; streamed: boolean },
): Promise<PutObjectCommand> {
  const command = new PutObjectCommand({
    ...to,
    Body: how.streamed ? createReadStream(path) : await readFile(path),
    ContentLength: size,
    ...(how.checksum ? { ChecksumSHA256: Buffer.from(hex, 'hex').toString('base64') } : {}),
  })
  // The bytes of a stream are signed as those of a buffer are, so that the service refuses others
  // also without a checksum.
  command.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> }
      headers['x-amz-content-sha256'] = hex
      return next(args)
    },
    { step: 'build', name: 'signedBytes' },
  )
  return command
}

/** What to set where the service does not know the request. */
function switchFor(location: S3Location, inParts: boolean): string | undefined {
  if (inParts) return 'where it takes no uploads in parts, set multipart=false in REMODEL_BLOBSTORE'
  if (location.checksum) return 'where it takes no checksums, set checksum=false in REMODEL_BLOBSTORE'
  return undefined
}
