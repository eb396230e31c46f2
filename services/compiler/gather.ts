import { gunzipSync } from 'node:zlib'
import type { Blobstore } from '../../shared/blobstore/blobstore.ts'
import type { CompiledPackage } from '../../shared/compile/compiled.ts'
import type { CompileSpec } from '../../shared/compile/requests.ts'
import { RemodelError } from '../../shared/errors.ts'

/** A tar, or a tar.gz. */
export interface Archive {
  bytes: Buffer
  gzip: boolean
}

/** What a package is compiled from. */
export interface Ingredients {
  source: Archive
  /** Direct ones only: a transitive dependency is not on the disk, as with BOSH's agent. */
  dependencies: { name: string; key: string; archive: Archive }[]
}

/** What is so small costs more as a process on the VM than as a call here, of some milliseconds. */
const smallBytes = 256 * 1024

/**
 * Fetches everything before a VM is taken: what is missing is no fault of a VM, and slow blobs keep none of them busy. `found`
 * is what the compiled index has of the dependencies; throws `infrastructure` where one is not there.
 */
export async function gather(
  spec: CompileSpec,
  found: ReadonlyMap<string, CompiledPackage>,
  blobs: Blobstore,
): Promise<Ingredients> {
  const [source, ...archives] = await Promise.all([
    open(spec.source, blobs),
    ...spec.dependencies.map(({ name, key }) => {
      const digest = found.get(key)?.digest
      if (digest !== undefined) return open(digest, blobs)
      throw new RemodelError(
        'infrastructure',
        `${spec.name} needs ${name}, which is not compiled (${key.slice(0, 12)})`,
      )
    }),
  ])
  return {
    source,
    dependencies: spec.dependencies.map((need, n) => ({ ...need, archive: archives[n]! })),
  }
}

async function open(digest: string, blobs: Blobstore): Promise<Archive> {
  const bytes = await blobs.get(digest)
  if (bytes.length > smallBytes) return { bytes, gzip: true }
  try {
    return { bytes: gunzipSync(bytes, { maxOutputLength: 16 * smallBytes }), gzip: false }
  } catch {
    // What is larger than it looked, or broken, is left to tar.
    return { bytes, gzip: true }
  }
}
