import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DiskBlobstore } from '../../../../shared/blobstore/disk.ts'

/** A blobstore in a directory of its own. */
export async function temporaryBlobs(): Promise<{ blobs: DiskBlobstore; remove(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'render-blobs-'))
  const blobs = await DiskBlobstore.open(directory)
  return { blobs, remove: () => rm(directory, { recursive: true, force: true }) }
}
