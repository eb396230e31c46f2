import { randomInt } from 'node:crypto'
import type { Blobstore } from '../../../shared/blobstore/blobstore.ts'
import type { RedisCompiledIndex } from '../../../shared/compilation/compiled.ts'
import { type Difference, firstDifference } from '../../../shared/compilation/difference.ts'
import type { AskedRebuild, RebuildOutcome, Rebuilds } from '../../../shared/compilation/rebuilds.ts'
import { PackageForms } from '../../../shared/release/package-form.ts'
import type { Catalog } from './catalog.ts'

/** How a package that was compiled a second time did. */
export interface Verified {
  package: string
  key: string
  stemcell: string
  /** `open` until it was compiled. `other`: the result differs. `failed`: there is none. */
  state: 'open' | 'same' | 'other' | 'failed'
  /** What is in use, and stays so; and what came out this time. */
  digest: string
  rebuilt?: string
  difference?: Difference
  message?: string
  log?: string
}

/** A random share of the compiled packages whose source and stemcell are here, at least one where there is any. */
export async function sample(
  share: number,
  { catalog, compiled }: { catalog: Catalog; compiled: RedisCompiledIndex },
): Promise<AskedRebuild[]> {
  const [releases, stemcells] = await Promise.all([catalog.releases(), catalog.stemcells()])
  const specs = new Map<string, AskedRebuild['spec']>()
  for (const release of releases) {
    const forms = new PackageForms(release)
    for (const name of forms.names) {
      for (const stemcell of stemcells) {
        const form = forms.find(name, stemcell)
        if (form?.source === undefined) continue
        const { key, fingerprint, source, dependencies } = form
        specs.set(key, { key, name, fingerprint, source, dependencies, stemcell, resources: {}, reuse: true })
      }
    }
  }
  const found = await compiled.find([...specs.keys()])
  const needs = (spec: AskedRebuild['spec']) => spec.dependencies.map((need) => need.key)
  const there = new Set((await compiled.find([...specs.values()].flatMap(needs))).keys())
  const all = [...found.values()].flatMap(({ key, digest }) => {
    const spec = specs.get(key)!
    return needs(spec).every((need) => there.has(need)) ? [{ spec, digest }] : []
  })
  for (let at = all.length - 1; at > 0; at--) {
    const other = randomInt(at + 1)
    ;[all[at], all[other]] = [all[other]!, all[at]!]
  }
  return all.slice(0, Math.ceil(all.length * share))
}

/** The state of a check. Only bytes that differ are looked into. */
export async function standOf(check: string, rebuilds: Rebuilds, blobs: Blobstore): Promise<Verified[]> {
  const verified: Verified[] = []
  for (const { asked, outcome } of await rebuilds.read(check)) {
    const { name, key, stemcell } = asked.spec
    const at = { package: name, key, stemcell: `${stemcell.os}/${stemcell.version}`, digest: asked.digest }
    verified.push({ ...at, ...(await judge(asked.digest, outcome, blobs)) })
  }
  return verified
}

async function judge(digest: string, outcome: RebuildOutcome | null, blobs: Blobstore) {
  if (outcome === null) return { state: 'open' as const }
  if ('message' in outcome) {
    const { message, log } = outcome
    return { state: 'failed' as const, message, ...(log === undefined ? {} : { log }) }
  }
  if (outcome.digest === digest) return { state: 'same' as const, rebuilt: outcome.digest }
  const difference = await firstDifference(await blobs.stream(digest), await blobs.stream(outcome.digest))
  // An archive that came with a release was packed by another hand: what counts is what is in it.
  if (!difference) return { state: 'same' as const, rebuilt: outcome.digest }
  return { state: 'other' as const, rebuilt: outcome.digest, difference }
}
