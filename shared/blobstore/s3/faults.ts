import { RemodelError, toError } from '../../errors.ts'
import { reasonOf } from '../../system-error.ts'
import type { S3Place } from './place.ts'

interface Answer {
  name?: string
  code?: string
  $metadata?: { httpStatusCode?: number }
}

/** True where the service says that the object is not there. */
export function isAbsent(error: unknown): boolean {
  const { name, $metadata } = (error ?? {}) as Answer
  return name === 'NoSuchKey' || name === 'NotFound' || ($metadata?.httpStatusCode === 404 && name !== 'NoSuchBucket')
}

/**
 * What went wrong, as one of ours: `unsupported` where another attempt would fail the same way (no bucket, no right, no keys),
 * `infrastructure` for the rest.
 */
export function s3Fault(what: string, place: S3Place, thrown: unknown): RemodelError {
  if (thrown instanceof RemodelError) return thrown
  const error = toError(thrown)
  const { name, code, $metadata } = thrown as Answer
  const status = $metadata?.httpStatusCode
  const where = `bucket ${place.bucket}${place.endpoint === undefined ? '' : ` at ${place.endpoint}`}`
  const details = { bucket: place.bucket, reason: name ?? code, status }
  const lasting = (sentence: string) => new RemodelError('unsupported', sentence, { details, cause: error })
  if (name === 'NoSuchBucket') return lasting(`there is no ${where}: make it, or set another REMODEL_BLOBSTORE`)
  if (name === 'CredentialsProviderError')
    return lasting(`no keys for ${where}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`)
  if (status === 401 || status === 403) return lasting(`${what}: ${where} refuses these keys (${name})`)
  return new RemodelError('infrastructure', `${what} in ${where} failed: ${reasonOf(error) || name || code}`, {
    details,
    cause: error,
  })
}
