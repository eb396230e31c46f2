import { join } from 'node:path'
import { KindRegistry } from '../../kinds/registry.ts'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import { temporaryFolder } from '../../shared/runtime/temporary.ts'

/** The kinds as a planner opens them, on a blobstore of their own. */
export async function openKinds(): Promise<KindRegistry> {
  const { path: folder } = await temporaryFolder('kinds')
  return KindRegistry.open({ blobs: await DiskBlobstore.open(join(folder, 'blobs')), cacheFolder: folder })
}
