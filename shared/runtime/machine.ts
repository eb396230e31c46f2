import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Blobstore } from '../blobstore/blobstore.ts'
import { DiskBlobstore } from '../blobstore/disk.ts'
import { LocalProvider } from '../provider/local/index.ts'
import type { Provider } from '../provider/provider.ts'
import { homeDirectory } from './home.ts'

/**
 * The blobstore that all services of this Remodel share: `blobs` in its folder, or what REMODEL_BLOBSTORE names:
 * `s3://...` (`blobstore/s3/place.ts`). Throws `unsupported` where that cannot be used.
 */
export async function openBlobstore(env: NodeJS.ProcessEnv = process.env): Promise<Blobstore> {
  const url = env.REMODEL_BLOBSTORE
  // Loaded only where it is wanted: the protocol's library is larger than all the rest.
  if (url !== undefined && url !== '') return (await import('../blobstore/s3/s3.ts')).S3Blobstore.open(url)
  return DiskBlobstore.open(join(homeDirectory(), 'blobs'))
}

/**
 * The provider that makes this Remodel's machines. Throws `unsupported` with one sentence where it cannot work here.
 */
export async function openProvider(log: Logger): Promise<Provider> {
  const provider = new LocalProvider({
    directory: join(homeDirectory(), 'machines'),
    hidden: [homeDirectory()],
    log: (message) => log.info(message),
  })
  await provider.check()
  return provider
}
