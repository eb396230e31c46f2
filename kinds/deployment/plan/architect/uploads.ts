import { z } from 'zod'
import type { Os } from '../../../../shared/release/package-form.ts'
import type { Release, ReleaseJob, Stemcell } from '../../../../shared/release/release.ts'
import { compareVersions } from '../../../../shared/release/version.ts'
import { type SourceDocument, suggest } from '../../../../shared/source/document.ts'
import type { CatalogView, ReleaseId } from '../../../contract/kind.ts'
import { Version } from '../schema/common.ts'
import type { Manifest } from '../schema/manifest.ts'
import { Faults, type Sourced } from './faults.ts'
import { resolveVersion } from './versions.ts'

/** The releases and stemcells that the manifest's names mean. */
export interface Bound {
  releases: Map<string, BoundRelease>
  stemcells: Map<string, Stemcell>
}
export interface BoundRelease {
  release: Release
  jobs: Map<string, ReleaseJob>
  /** Only what was compiled on one of these counts; empty: whatever fits. */
  exportedFrom: readonly Os[]
}

const Listed = z.looseObject({ releases: z.array(z.looseObject({ name: z.string(), version: Version })) })

/**
 * The releases that the manifest means, going by names and versions alone: what is wrong with the manifest is said
 * when it is bound. Pure.
 */
export function chosenReleases(
  document: SourceDocument,
  { releaseIds, created }: Required<Pick<CatalogView, 'releaseIds' | 'created'>>,
): ReleaseId[] {
  const wanted = new Faults().catch(() => document.parse(Listed))?.releases ?? []
  const versions = Map.groupBy(releaseIds, ({ name }) => name)
  return wanted.flatMap((one) => {
    const known = versions.get(one.name)?.map(({ version }) => version) ?? []
    const version = versionOf(one, created, known)
    return version !== undefined && known.includes(version) ? [{ name: one.name, version }] : []
  })
}

/**
 * Binds `releases` and `stemcells` of a manifest to what was uploaded; `create`, `latest` and
 * `621.latest` are resolved here.
 */
export function bindUploads(
  manifest: Sourced<Manifest>,
  { releases, releaseIds = releases, stemcells, created }: Omit<CatalogView, 'configs' | 'kept'>,
  faults: Faults,
): Bound {
  const bound: Bound = { releases: new Map(), stemcells: new Map() }
  for (const [index, wanted] of manifest.value.releases.entries()) {
    const below = ['releases', index]
    if (bound.releases.has(wanted.name)) {
      faults.add(manifest, [...below, 'name'], `release "${wanted.name}" is there twice`, { found: wanted.name })
      continue
    }
    const same = releaseIds.filter((release) => release.name === wanted.name)
    if (same.length === 0) {
      faults.unknown(manifest, [...below, 'name'], {
        what: 'release',
        name: wanted.name,
        valid: new Set(releaseIds.map((release) => release.name)),
      })
      continue
    }
    const versions = same.map((release) => release.version)
    const version = versionOf(wanted, created, versions)
    const release = releases.find((candidate) => candidate.name === wanted.name && candidate.version === version)
    if (!release) {
      faults.add(manifest, [...below, 'version'], `release "${wanted.name}" has no such version`, {
        found: wanted.version,
        allowed: `latest, ${versions.sort(compareVersions).join(', ')}`,
        ...suggest(wanted.version, versions),
      })
      continue
    }
    bound.releases.set(wanted.name, {
      release,
      jobs: new Map(release.jobs.map((job) => [job.name, job])),
      exportedFrom: wanted.exported_from ?? [],
    })
  }
  for (const [index, wanted] of manifest.value.stemcells.entries()) {
    const below = ['stemcells', index]
    if (bound.stemcells.has(wanted.alias))
      faults.add(manifest, [...below, 'alias'], `stemcell alias "${wanted.alias}" is there twice`)
    if ((wanted.os === undefined) === (wanted.name === undefined)) {
      faults.add(manifest, below, 'a stemcell is named by either os or name')
      continue
    }
    const key = wanted.os === undefined ? 'name' : 'os'
    const name = wanted.os ?? wanted.name ?? ''
    const same = stemcells.filter((stemcell) => stemcell[key] === name)
    if (same.length === 0) {
      faults.unknown(manifest, [...below, key], {
        what: `stemcell ${key}`,
        name,
        valid: new Set(stemcells.map((stemcell) => stemcell[key])),
      })
      continue
    }
    const versions = [...new Set(same.map((stemcell) => stemcell.version))]
    const version = resolveVersion(wanted.version, versions)
    // Several infrastructures may offer one os and version; the first by name, so that the answer
    // does not depend on order.
    const stemcell = same.filter((item) => item.version === version).sort((a, b) => (a.name < b.name ? -1 : 1))[0]
    if (!stemcell) {
      faults.add(manifest, [...below, 'version'], `stemcell "${name}" has no such version`, {
        found: wanted.version,
        allowed: `latest, ${versions.sort(compareVersions).join(', ')}`,
        ...suggest(wanted.version, versions),
      })
      continue
    }
    bound.stemcells.set(wanted.alias, stemcell)
  }
  return bound
}

/** `create` is what was uploaded for this plan; so is `latest`, where something was: newer than that nothing can be. */
function versionOf(
  wanted: { name: string; version: string },
  created: Readonly<Record<string, string>>,
  versions: readonly string[],
): string | undefined {
  const uploaded = created[wanted.name]
  if (uploaded !== undefined && (wanted.version === 'create' || wanted.version === 'latest')) return uploaded
  return resolveVersion(wanted.version, versions)
}
