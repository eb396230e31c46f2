import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { Readable } from 'node:stream'
import type { Fault } from '../runtime/errors.ts'
import { invalidInput } from '../source/document.ts'
import { type ArchiveEntry, archive } from './archive.ts'
import { eachEntry, sourceRules } from './entries.ts'
import type { LocalJob, LocalPackage, LocalRelease } from './local-release.ts'
import { packageGraph } from './package-graph.ts'
import { type PrePackagingOptions, withPrePackaging } from './pre-packaging.ts'
import type { Release } from './release.ts'
import { checked, type FetchBlob, findFinalBuild, localBlobstore } from './release-blobstore.ts'
import { linkStaysInside, parentIn } from './safe-path.ts'
import type { SourceFile } from './source-tree.ts'

/** Puts bytes somewhere and returns their digest: `(content) => store.put(content).then((put) => put.digest)`. */
export type Put = (content: Readable | Uint8Array) => Promise<string>

export interface PackOptions extends PrePackagingOptions {
  /**
   * Reads from the release's own blobstore what is not in the directory. Default: a `local` provider
   * of `config/final.yml`.
   */
  fetchBlob?: FetchBlob
}

/**
 * Makes the archive of every package and job and puts it. Same directory, same archives, byte for byte, unless a
 * `pre_packaging` script does otherwise. Faults of all packages are found before anything is put: `invalid-input` for
 * links that lead out, circles, and files below a link.
 */
export async function packRelease(local: LocalRelease, put: Put, options: PackOptions = {}): Promise<Release> {
  packageGraph(local)
  const root = await realpath(local.directory)
  const faults = [
    ...local.packages.flatMap((pack) => faultsOfPackage(local, pack)),
    ...(await Promise.all(local.jobs.map((job) => faultsOfJob(local, job, root)))).flat(),
  ]
  if (faults.length > 0) throw invalidInput(faults)
  const fetchBlob = options.fetchBlob ?? localBlobstore(local.directory)

  const packages: Release['packages'] = []
  for (const pack of local.packages) {
    options.signal?.throwIfAborted()
    const { name, fingerprint, dependencies } = pack
    packages.push({
      name,
      fingerprint,
      dependencies,
      digest: await putPackage(local, pack, put, { ...options, fetchBlob }),
    })
  }
  const jobs: Release['jobs'] = []
  for (const { files, ...job } of local.jobs) {
    jobs.push({
      ...job,
      digest: await put(archive(await Promise.all(files.map((file) => fileEntry(file, fetchBlob))))),
    })
  }
  return { name: local.name, version: local.version, packages, jobs }
}

async function putPackage(
  local: LocalRelease,
  pack: LocalPackage,
  put: Put,
  options: PackOptions & { fetchBlob: FetchBlob },
): Promise<string> {
  if (pack.vendored) {
    return putVendored(local, pack, put, options.fetchBlob)
  }
  const { compress } = pack
  if (!pack.files.some((file) => file.path === 'pre_packaging' && file.mode === null)) {
    return put(archive(await Promise.all(pack.files.map((file) => fileEntry(file, options.fetchBlob))), { compress }))
  }
  return withPrePackaging(local.directory, pack, options, async (entries) => {
    const faults = faultsOfEntries(join(local.directory, 'packages', pack.folder, 'pre_packaging'), entries)
    if (faults.length > 0) throw invalidInput(faults)
    return put(archive(entries, { compress }))
  })
}

/**
 * An archive that others packed: its digest first, then what is in it, by the rule for releases that come as tarballs.
 */
async function putVendored(local: LocalRelease, pack: LocalPackage, put: Put, fetchBlob: FetchBlob): Promise<string> {
  const blob = await findFinalBuild(local.directory, pack.name, pack.fingerprint)
  const open = async () => checked(await fetchBlob(blob), blob)
  for await (const _ of await open());
  const file = `${join(local.directory, 'packages', pack.folder)} (vendored, blob ${blob.id})`
  await eachEntry(await open(), sourceRules(file), async () => {})
  return put(await open())
}

async function fileEntry(file: SourceFile, fetchBlob: FetchBlob): Promise<ArchiveEntry> {
  const { path, sha256, source } = file
  if (file.target !== undefined) return { type: 'link', path, target: file.target }
  // The mode of `packaging` is not in the fingerprint, so it may not make a difference here either.
  const executable = file.mode === '100755' || file.mode === null
  const absent = file.absent
  if (absent?.objectId === undefined) {
    return {
      type: 'file',
      path,
      executable,
      sha256,
      size: (await stat(source)).size,
      open: () => createReadStream(source),
    }
  }
  const blob = { id: absent.objectId, sha: absent.sha, what: `blobs/${absent.path}` }
  return {
    type: 'file',
    path,
    executable,
    sha256,
    size: absent.size,
    open: async function* () {
      yield* checked(await fetchBlob(blob), blob)
    },
  }
}

function faultsOfPackage(local: LocalRelease, pack: LocalPackage): Fault[] {
  const entries = pack.files.map((file) => ({
    path: file.path,
    ...(file.target === undefined ? {} : { target: file.target }),
    source: file.source,
  }))
  return faultsOfEntries(join(local.directory, 'packages', pack.folder, 'spec'), entries)
}

function faultsOfEntries(
  file: string,
  entries: readonly { path: string; type?: string; target?: string; source?: string }[],
): Fault[] {
  const leaves = new Set(entries.filter((entry) => entry.type !== 'directory').map((entry) => entry.path))
  return entries.flatMap((entry): Fault[] => {
    const faults: Fault[] = []
    const above = parentIn(entry.path, leaves)
    if (above !== null) faults.push({ file, path: entry.path, message: `stands below ${above}, which is no folder` })
    if (entry.target !== undefined && !linkStaysInside(entry.path, entry.target)) {
      faults.push({
        file: entry.source ?? file,
        path: entry.path,
        message: 'the link leads out of the package',
        found: entry.target,
      })
    }
    return faults
  })
}

async function faultsOfJob(local: LocalRelease, job: LocalJob, root: string): Promise<Fault[]> {
  const faults = await Promise.all(
    job.files.map(async (file): Promise<Fault[]> => {
      const place = relative(root, await realpath(file.source))
      if (place !== '..' && !place.startsWith('../')) return []
      return [
        {
          file: join(local.directory, 'jobs', job.name, file.path),
          message: 'the link leads out of the release',
          found: place,
        },
      ]
    }),
  )
  return faults.flat()
}
