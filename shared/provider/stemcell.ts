import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Blobstore } from '../blobstore/blobstore.ts'
import type { Stemcell } from '../release/release.ts'
import { temporaryFolder } from '../runtime/temporary.ts'
import type { Provider } from './provider.ts'

/** Makes a stemcell known to the provider; returns its cloud id. A light one is the machine's own root. */
export async function importStemcell(
  provider: Provider,
  blobs: Blobstore,
  stemcell: Pick<Stemcell, 'name' | 'version' | 'digest'>,
): Promise<string> {
  const { name, version, digest } = stemcell
  if (digest === undefined) return provider.importStemcell({ name, version })
  await using directory = await temporaryFolder('remodel-stemcell')
  const image = join(directory.path, 'image.tgz')
  await pipeline(await blobs.stream(digest), createWriteStream(image))
  return await provider.importStemcell({ name, version, digest, image })
}
