import type { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import type { Blobstore } from '../../shared/blobstore/blobstore.ts'
import type { CompiledIndex, CompiledPackage } from '../../shared/compilation/compiled.ts'
import { isBlobFault } from '../../shared/compilation/sound-packages.ts'
import type { CompileSpec } from '../../shared/compilation/spec.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'

/** A tar, or a tar.gz. A large one is fetched when it is opened, and never held as a whole. */
export interface Archive {
  gzip: boolean
  open(): Promise<Readable | Uint8Array>
}

/** What a package is compiled from. */
export interface CompileInputs {
  source: Archive
  /** Direct ones only: a transitive dependency is not on the disk, as with BOSH's agent. */
  dependencies: { name: string; key: string; archive: Archive }[]
}

/** An archive this small costs more as a process on the VM than as a call here, of some milliseconds. */
const smallBytes = 256 * 1024

/**
 * Looks for everything before a VM is taken, and fetches what is small: what is missing is no fault of a VM. `found`
 * is what the compiled index has of the dependencies; throws `infrastructure` where one is not there, `not-found`
 * where the source is gone.
 */
export async function gather(
  spec: CompileSpec,
  found: ReadonlyMap<string, CompiledPackage>,
  { blobs, compiled }: { blobs: Blobstore; compiled: CompiledIndex },
): Promise<CompileInputs> {
  const [source, ...archives] = await Promise.all([
    look(spec.source, blobs).catch((error) => {
      if (!(error instanceof RemodelError) || error.code !== 'not-found') throw error
      throw new RemodelError('not-found', `the source of package ${spec.name} is gone: upload its release again`, {
        cause: error,
        details: { digest: spec.source },
      })
    }),
    ...spec.dependencies.map(({ name, key }) => {
      const item = found.get(key)
      if (item !== undefined)
        return look(item.digest, blobs).catch(async (error) => {
          // The next plan compiles it again.
          if (isBlobFault(error)) await compiled.drop(item)
          throw error
        })
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

async function look(digest: string, blobs: Blobstore): Promise<Archive> {
  const bytes = await beginning(await blobs.stream(digest))
  if (bytes.length > smallBytes) return { gzip: true, open: () => blobs.stream(digest) }
  try {
    const tar = gunzipSync(bytes, { maxOutputLength: 16 * smallBytes })
    return { gzip: false, open: async () => tar }
  } catch {
    // An archive that is larger than it looked, or broken, is left to tar.
    return { gzip: true, open: async () => bytes }
  }
}

/** All bytes of what is small, checked; the first ones, more than `smallBytes`, of what is not. */
async function beginning(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream) {
    chunks.push(chunk as Buffer)
    length += (chunk as Buffer).length
    if (length > smallBytes) break
  }
  return Buffer.concat(chunks)
}
