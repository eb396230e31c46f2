import { z } from 'zod'

/** A package of a release, as the catalog keeps it. `digest` is the blob of its source: a tar.gz. */
export const ReleasePackage = z.object({
  name: z.string(),
  /** BOSH's own fingerprint (v2, sha256), so that real releases match. */
  fingerprint: z.string(),
  /** Names of packages of the same release. */
  dependencies: z.array(z.string()),
  digest: z.string(),
})
export type ReleasePackage = z.infer<typeof ReleasePackage>

export const PropertyDefinition = z.object({
  description: z.string().optional(),
  default: z.unknown().optional(),
  example: z.unknown().optional(),
  type: z.string().optional(),
})
export type PropertyDefinition = z.infer<typeof PropertyDefinition>

export const LinkDefinition = z.object({
  name: z.string(),
  type: z.string(),
  optional: z.boolean().default(false),
  shared: z.boolean().default(false),
  properties: z.array(z.string()).default([]),
})
export type LinkDefinition = z.infer<typeof LinkDefinition>

/** A job of a release. `digest` is the blob of its archive: a tar.gz of `job.MF`, `monit` and `templates/`. */
export const ReleaseJob = z.object({
  name: z.string(),
  fingerprint: z.string(),
  digest: z.string(),
  packages: z.array(z.string()),
  /** Template source below `templates/` -> destination below the job's directory. */
  templates: z.record(z.string(), z.string()),
  /** Dotted property name -> definition. */
  properties: z.record(z.string(), PropertyDefinition),
  provides: z.array(LinkDefinition),
  consumes: z.array(LinkDefinition),
})
export type ReleaseJob = z.infer<typeof ReleaseJob>

/**
 * A package that a release brings compiled, for one stemcell. `digest` is the blob of its install directory: a tar.gz.
 */
export const CompiledReleasePackage = ReleasePackage.extend({
  /** `<os>/<version>` it was compiled on; it may stand on any version of the same os and major version, as in BOSH. */
  stemcell: z.string(),
})
export type CompiledReleasePackage = z.infer<typeof CompiledReleasePackage>

/** A release as the catalog keeps it: everything a plan needs to know, the bytes being in the blobstore. */
export const Release = z.object({
  name: z.string(),
  version: z.string(),
  packages: z.array(ReleasePackage),
  jobs: z.array(ReleaseJob),
  /** Left out where the release has none. */
  compiledPackages: z.array(CompiledReleasePackage).optional(),
})
export type Release = z.infer<typeof Release>

/** A stemcell as the catalog keeps it. `digest` is the blob of its root file system; a light one has none. */
export const Stemcell = z.object({
  name: z.string(),
  os: z.string(),
  version: z.string(),
  digest: z.string().optional(),
})
export type Stemcell = z.infer<typeof Stemcell>
