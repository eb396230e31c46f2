import { RemodelError } from '../../errors.ts'

/** Where an S3 blobstore is. */
export interface S3Place {
  bucket: string
  /** Without slashes at its ends; may be empty. */
  prefix: string
  region: string
  /** Of a service that is not Amazon's. */
  endpoint?: string
  /** The bucket is part of the path, not of the host name. */
  pathStyle: boolean
}

const known = ['endpoint', 'region', 'path-style']

/**
 * `s3://<bucket>[/<prefix>][?endpoint=<url>&region=<name>&path-style=true|false]`. Whatever is at `endpoint` is spoken to with the bucket in the path
 * unless told otherwise. Who may is told by the usual AWS_ variables and files, never by the URL. Throws `invalid-input`.
 */
export function readS3Place(text: string, env: NodeJS.ProcessEnv = process.env): S3Place {
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
  const style = url.searchParams.get('path-style')
  return {
    bucket: url.hostname,
    prefix: url.pathname.replace(/^\/+|\/+$/g, ''),
    region: url.searchParams.get('region') ?? env.AWS_REGION ?? 'us-east-1',
    ...(endpoint === null ? {} : { endpoint }),
    pathStyle: style === null ? endpoint !== null : style === 'true',
  }
}
