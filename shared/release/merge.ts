import { RemodelError } from '../runtime/errors.ts'
import type { Release } from './release.ts'

/**
 * The release after an upload of a name and version that are there already: the source and the compiled forms that were
 * missing are added. Parts of one fingerprint are the same, whichever tool packed them; the stored one is kept. Throws
 * `conflict` where the two are not the same release. Pure.
 */
export function mergeReleases(stored: Release, given: Release): Release {
  const conflict = (what: string) => {
    const id = `${given.name}/${given.version}`
    return new RemodelError('conflict', `${id} exists with other content (${what}); give it another version`)
  }
  refuseOthers('job', stored.jobs, given.jobs, conflict)
  refuseOthers('package', everyPackage(stored), everyPackage(given), conflict)
  const source = (release: Release) => (release.compiledPackages?.length ?? 0) === 0
  if (source(stored) && source(given)) {
    refuseMissing('job', stored.jobs, given.jobs, conflict)
    refuseMissing('package', stored.packages, given.packages, conflict)
  }
  const compiled = union(
    stored.compiledPackages ?? [],
    given.compiledPackages ?? [],
    (one) => `${one.name} ${one.stemcell}`,
  )
  return {
    ...stored,
    jobs: union(stored.jobs, given.jobs, (one) => one.name),
    packages: union(stored.packages, given.packages, (one) => one.name),
    ...(compiled.length > 0 ? { compiledPackages: compiled } : {}),
  }
}

interface Part {
  name: string
  fingerprint: string
}
type Conflict = (what: string) => RemodelError

function everyPackage(release: Release): Part[] {
  return [...release.packages, ...(release.compiledPackages ?? [])]
}

function refuseOthers(kind: string, stored: readonly Part[], given: readonly Part[], conflict: Conflict): void {
  const known = new Map(stored.map((one) => [one.name, one.fingerprint]))
  const other = given.find((one) => known.has(one.name) && known.get(one.name) !== one.fingerprint)
  if (other) throw conflict(`${kind} ${other.name}`)
}

/** An export may hold some of the jobs only; two sources of one version must hold the same. */
function refuseMissing(kind: string, stored: readonly Part[], given: readonly Part[], conflict: Conflict): void {
  const [left, right] = [stored, given].map((list) => new Set(list.map((one) => one.name)))
  const other = [...left!, ...right!].sort().find((name) => !left!.has(name) || !right!.has(name))
  if (other !== undefined) throw conflict(`${kind} ${other}`)
}

function union<T>(stored: readonly T[], given: readonly T[], id: (item: T) => string): T[] {
  const known = new Set(stored.map(id))
  return [...stored, ...given.filter((item) => !known.has(id(item)))]
}
