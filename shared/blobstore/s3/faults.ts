import { RemodelError, toError } from '../../runtime/errors.ts'
import { reasonOf } from '../../runtime/system-error.ts'
import type { S3Location } from './location.ts'

interface Answer {
  name?: string
  code?: string
  $metadata?: { httpStatusCode?: number }
}

/** Refusals with status 400 that are not about what the service knows. */
const passing = /Timeout|Expired|Token|Digest|Mismatch|SlowDown|TooLarge/

/** True where the service says that the object is not there. */
export function isAbsent(error: unknown): boolean {
  const { name, $metadata } = (error ?? {}) as Answer
  return name === 'NoSuchKey' || name === 'NotFound' || ($metadata?.httpStatusCode === 404 && name !== 'NoSuchBucket')
}

/**
 * What went wrong, as one of ours: `unsupported` where another attempt would fail the same way (no bucket, no
 * right, no keys, a request that the service does not know), `infrastructure` for the rest. `fix` says what to
 * do about such a request.
 */
export function s3Fault(what: string, location: S3Location, thrown: unknown, fix?: string): RemodelError {
  if (thrown instanceof RemodelError) return thrown
  const error = toError(thrown)
  const { name, code, $metadata } = thrown as Answer
  const status = $metadata?.httpStatusCode
  const where = `bucket ${location.bucket}${location.endpoint === undefined ? '' : ` at ${location.endpoint}`}`
  const details = { bucket: location.bucket, reason: name ?? code, status }
  const lasting = (sentence: string) => new RemodelError('unsupported', sentence, { details, cause: error })
  if (name === 'NoSuchBucket') return lasting(`there is no ${where}: make it, or set another REMODEL_BLOBSTORE`)
  if (name === 'CredentialsProviderError')
    return lasting(`no keys for ${where}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`)
  if (fix !== undefined && (status === 501 || (status === 400 && !passing.test(name ?? '')))) {
    return lasting(`${what} in ${where} failed: ${reasonOf(error) || name}; ${fix}`)
  }
  if (status === 401 || status === 403) return lasting(`${what}: ${where} refuses these keys (${name})`)
  return new RemodelError('infrastructure', `${what} in ${where} failed: ${reasonOf(error) || name || code}`, {
    details,
    cause: error,
  })
}
