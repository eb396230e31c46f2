import type { Readable } from 'node:stream'
import { stringify } from 'yaml'
import type { Blobstore } from '../blobstore/blobstore.ts'
import type { CompiledIndex, CompiledPackage } from '../compilation/compiled.ts'
import { RemodelError } from '../runtime/errors.ts'
import { type ArchiveEntry, archive } from './archive.ts'
import { type Os, type PackageForm, PackageForms } from './package-form.ts'
import type { Release, ReleaseJob } from './release.ts'

/** A compiled release, ready to be written. */
export interface ExportedRelease {
  jobs: string[]
  packages: string[]
  open(): Readable
}

/**
 * A compiled release tarball in the format of BOSH, from what is compiled: `release.MF`, `jobs/*.tgz`,
 * `compiled_packages/*.tgz`. It holds every package its jobs need, and of the others those that are compiled. Only what
 * was compiled on exactly this stemcell counts. Throws `not-found` for a job the release does not have, `conflict` with
 * all packages that are missing.
 */
export async function exportRelease(
  release: Release,
  stemcell: Os,
  from: { compiled: CompiledIndex; blobs: Blobstore },
  only: readonly string[] = [],
): Promise<ExportedRelease> {
  const jobs = only.length === 0 ? release.jobs : only.map((name) => jobNamed(release, name))
  const forms = new PackageForms(release)
  const fitting = formsOn(forms, stemcell)
  const needed = new Set(jobs.flatMap((job) => job.packages.flatMap((name) => [name, ...forms.closure(name)])))
  const index = await from.compiled.find([...fitting.values()].map((form) => form.key))
  const at = `${stemcell.os}/${stemcell.version}`
  const missing = [...needed].filter((name) => !index.has(fitting.get(name)?.key ?? '')).sort()
  if (missing.length > 0) {
    const message = `not compiled for ${at}: ${missing.join(', ')}; deploy it there once, or export fewer jobs`
    throw new RemodelError('conflict', message, { details: { missing, stemcell: at } })
  }
  const packed = closed([...fitting.values()].filter((form) => index.has(form.key)))
  const parts = [
    ...jobs.map((job) => ({ path: `jobs/${job.name}.tgz`, digest: job.digest })),
    ...packed.map((form) => ({ path: `compiled_packages/${form.name}.tgz`, digest: index.get(form.key)!.digest })),
  ]
  const entries = await Promise.all(parts.map((part) => entryOf(part, from.blobs)))
  const manifest = Buffer.from(
    stringify(manifestOf(release, { jobs, packages: packed, index, stemcell: at }), { version: '1.1' }),
  )
  return {
    jobs: jobs.map((job) => job.name),
    packages: packed.map((form) => form.name),
    open: () => archive([entryOfText('release.MF', manifest), ...entries], { compress: false }),
  }
}

/** By name, what the release has for exactly this stemcell, or could be compiled for it. */
function formsOn(forms: PackageForms, stemcell: Os): Map<string, PackageForm> {
  const found = forms.names.flatMap((name) => forms.find(name, stemcell) ?? [])
  return new Map(found.filter((form) => form.stemcell.version === stemcell.version).map((form) => [form.name, form]))
}

/** Without those whose dependencies are not among them: an import would refuse the whole. */
function closed(forms: readonly PackageForm[]): PackageForm[] {
  const kept = new Map<string, PackageForm>()
  for (const form of forms) if (form.dependencies.every((need) => kept.has(need.name))) kept.set(form.name, form)
  return [...kept.values()]
}

function manifestOf(
  release: Release,
  {
    jobs,
    packages,
    index,
    stemcell,
  }: {
    jobs: readonly ReleaseJob[]
    packages: readonly PackageForm[]
    index: ReadonlyMap<string, CompiledPackage>
    stemcell: string
  },
) {
  return {
    name: release.name,
    version: release.version,
    commit_hash: 'non-git',
    uncommitted_changes: false,
    jobs: jobs.map(({ name, fingerprint, digest }) => ({ name, version: fingerprint, fingerprint, sha1: digest })),
    compiled_packages: packages.map(({ name, fingerprint, key, dependencies }) => ({
      name,
      version: fingerprint,
      fingerprint,
      sha1: index.get(key)!.digest,
      stemcell,
      dependencies: dependencies.map((need) => need.name),
    })),
  }
}

function jobNamed(release: Release, name: string): ReleaseJob {
  const job = release.jobs.find((one) => one.name === name)
  if (job) return job
  throw new RemodelError('not-found', `release ${release.name}/${release.version} has no job ${name}`, {
    details: { allowed: release.jobs.map((one) => one.name) },
  })
}

async function entryOf({ path, digest }: { path: string; digest: string }, blobs: Blobstore): Promise<ArchiveEntry> {
  const facts = await blobs.describe(digest)
  if (!facts) throw new RemodelError('infrastructure', `the blob of ${path} is gone`, { details: { digest } })
  return {
    type: 'file',
    path,
    executable: false,
    size: facts.size,
    open: async function* () {
      yield* await blobs.stream(digest)
    },
  }
}

function entryOfText(path: string, bytes: Buffer): ArchiveEntry {
  return {
    type: 'file',
    path,
    executable: false,
    size: bytes.length,
    open: async function* () {
      yield bytes
    },
  }
}
