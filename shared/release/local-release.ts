import type { Fault } from '../runtime/errors.ts'
import type { ReleaseJob } from './release.ts'
import type { SourceFile } from './source-tree.ts'

/** A release directory as it was read: everything known but the archives, which `packRelease` makes. */
export interface LocalRelease {
  directory: string
  name: string
  version: string
  packages: LocalPackage[]
  jobs: LocalJob[]
  /** Fingerprint of the LICENSE and NOTICE files, where there are any. */
  license?: string
  /** Allowed, and most likely not meant. */
  warnings: Fault[]
}

export interface LocalPackage {
  name: string
  fingerprint: string
  dependencies: string[]
  /** Folder below `packages`. */
  folder: string
  /** What the archive holds, `packaging` included and `pre_packaging` with it; empty where the package is vendored. */
  files: SourceFile[]
  /** Vendored by `spec.lock`: the archive comes from the release's own blobstore. */
  vendored: boolean
  compress: boolean
}

export interface LocalJob extends Omit<ReleaseJob, 'digest'> {
  files: SourceFile[]
}
