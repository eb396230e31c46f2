import { RemodelError } from '../../runtime/errors.ts'

/** Where an S3 blobstore is. */
export interface S3Location {
  bucket: string
  /** Without slashes at its ends; may be empty. */
  prefix: string
  region: string
  /** Of a service that is not Amazon's. */
  endpoint?: string
  /** The bucket is part of the path, not of the host name. */
  pathStyle: boolean
  /** Large objects go up in parts. */
  multipart: boolean
  /** Objects go up with their checksum in a header. */
  checksum: boolean
}

const known = ['endpoint', 'region', 'path-style', 'multipart', 'checksum']

/**
 * `s3://<bucket>[/<prefix>][?<option>=<value>&…]`; options are `endpoint` (a URL), `region`, `path-style`, `multipart`
 * and `checksum` (true or false). The prefix is percent-encoded as in any URL. A service at `endpoint` gets the bucket
 * in the path unless `path-style` says otherwise. Keys come from the usual AWS_ variables and files, never from the
 * URL. Throws `invalid-input`.
 */
export function readS3Location(text: string, env: NodeJS.ProcessEnv = process.env): S3Location {
  const refuse = (message: string, details: Record<string, unknown> = {}) =>
    new RemodelError('invalid-input', `REMODEL_BLOBSTORE: ${message}`, { details })
  const url = URL.parse(text)
  if (url?.protocol !== 's3:' || url.hostname === '') throw refuse('wanted s3://bucket?endpoint=...&region=...')
  if (url.username !== '' || url.password !== '')
    throw refuse('a URL is no place for keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY')
  for (const name of url.searchParams.keys())
    if (!known.includes(name)) throw refuse(`there is no parameter ${name}`, { allowed: known })
  const endpoint = url.searchParams.get('endpoint')
  if (endpoint !== null && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? ''))
    throw refuse('endpoint is not a URL of http or https', { found: endpoint })
  const flag = (name: string, otherwise: boolean): boolean => {
    const value = url.searchParams.get(name)
    if (value === null) return otherwise
    if (value !== 'true' && value !== 'false')
      throw refuse(`${name} is true or false`, { found: value, allowed: ['true', 'false'] })
    return value === 'true'
  }
  return {
    bucket: url.hostname,
    prefix: decoded(url.pathname, refuse).replace(/^\/+|\/+$/g, ''),
    region: url.searchParams.get('region') ?? env.AWS_REGION ?? 'us-east-1',
    ...(endpoint === null ? {} : { endpoint }),
    pathStyle: flag('path-style', endpoint !== null),
    multipart: flag('multipart', true),
    checksum: flag('checksum', true),
  }
}

function decoded(path: string, refuse: (message: string, details: Record<string, unknown>) => RemodelError): string {
  try {
    return decodeURIComponent(path)
  } catch {
    throw refuse('the prefix is not percent-encoded: write % as %25', { found: path })
  }
}
