import type { Blobstore } from '../../../shared/blobstore/blobstore.ts'
import type { CompiledPackage, RedisCompiledIndex } from '../../../shared/compilation/compiled.ts'
import { checkRelease } from '../../../shared/release/check.ts'
import { type Os, osOf, PackageForms } from '../../../shared/release/package-form.ts'
import type { Release } from '../../../shared/release/release.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { PlanningSessions } from '../housekeeping/planning-sessions.ts'
import type { Catalog } from './catalog.ts'

/** Where releases are stored: catalog, blobstore and compiled index. */
export interface ReleaseParts {
  catalog: Catalog
  blobs: Blobstore
  compiled: RedisCompiledIndex
  /** A clean-up waits for a release that is being taken in: its packages are learnt before the catalog names them. */
  sessions: Pick<PlanningSessions, 'during'>
}

/**
 * Takes an uploaded release into the catalog. Its compiled packages are in the compiled index before the release can be
 * planned with, so no plan compiles it. Throws `invalid-input` for names, `not-found` where blobs are missing,
 * `conflict` for the same version with other content.
 */
export async function takeRelease(given: Release, parts: ReleaseParts): Promise<{ release: Release; added: boolean }> {
  checkRelease(given)
  return parts.sessions.during(() => take(given, parts))
}

async function take(given: Release, { catalog, blobs, compiled }: ReleaseParts) {
  const sizes = new Map<string, number>()
  const missing: string[] = []
  for (const [what, digest] of blobsOf(given)) {
    const facts = (await blobs.keep(digest)) ? await blobs.describe(digest) : null
    if (facts) sizes.set(digest, facts.size)
    else missing.push(what)
  }
  if (missing.length > 0) {
    const message = `release ${given.name}/${given.version} lacks the bytes of ${missing.join(', ')}: send them first`
    throw new RemodelError('not-found', message, { details: { missing } })
  }
  const forms = new PackageForms(given)
  const learnt = (given.compiledPackages ?? []).flatMap(({ name, stemcell, digest }): CompiledPackage[] => {
    const form = forms.find(name, osOf(stemcell))
    // One whose dependencies are not there for its stemcell fits nothing.
    if (form?.compiled !== digest) return []
    return [{ key: form.key, digest, size: sizes.get(digest) ?? 0, durationMs: 0, compiledAt: Date.now() }]
  })
  await compiled.learn(learnt)
  await failpoint('releases.learnt')
  return catalog.addRelease(given)
}

/** For which stemcells each package of a release is compiled: those that stand here, and those it brings. */
export async function compiledFor(
  release: Release,
  { catalog, compiled }: Pick<ReleaseParts, 'catalog' | 'compiled'>,
): Promise<Record<string, string[]>> {
  const forms = new PackageForms(release)
  const brought = (release.compiledPackages ?? []).map((item) => item.stemcell)
  const uploaded = (await catalog.stemcells()).map(({ os, version }) => `${os}/${version}`)
  const stemcells = [...new Set([...brought, ...uploaded])].sort().map((text): [string, Os] => [text, osOf(text)])
  const wanted = forms.names.flatMap((name) =>
    stemcells.flatMap(([text, stemcell]) => {
      const form = forms.find(name, stemcell)
      return form?.stemcell.version === stemcell.version ? [{ name, text, key: form.key }] : []
    }),
  )
  const found = await compiled.find(wanted.map(({ key }) => key))
  const known = Map.groupBy(
    wanted.filter(({ key }) => found.has(key)),
    ({ name }) => name,
  )
  return Object.fromEntries(forms.names.map((name) => [name, (known.get(name) ?? []).map(({ text }) => text)]))
}

function blobsOf(release: Release): [what: string, digest: string][] {
  return [
    ...release.jobs.map(({ name, digest }): [string, string] => [`jobs/${name}`, digest]),
    ...release.packages.map(({ name, digest }): [string, string] => [`packages/${name}`, digest]),
    ...(release.compiledPackages ?? []).map(({ name, digest }): [string, string] => [
      `compiled_packages/${name}`,
      digest,
    ]),
  ]
}
