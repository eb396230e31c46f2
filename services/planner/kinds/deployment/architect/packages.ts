import type { RemodelError } from '../../../../../shared/errors.ts'
import { packageGraph } from '../../../../../shared/release/package_graph.ts'
import { packageKeys } from '../../../../../shared/release/package_key.ts'
import type { Release, Stemcell } from '../../../../../shared/release/release.ts'
import type { PackageStrategy } from '../strategy.ts'

/** Every package that some group needs, by key, and the keys of each release's packages on each stemcell. */
export class PackageClaims {
  readonly byKey: Record<string, PackageStrategy> = {}
  readonly #keys = new Map<string, Map<string, string>>()
  readonly #closures = new Map<Release, ReturnType<typeof packageGraph>>()

  /**
   * Package name -> key for all packages of a release on a stemcell. Throws `invalid-input` where packages need each
   * other or one that is not there.
   */
  keysOf(release: Release, stemcell: Stemcell): Map<string, string> {
    const id = `${release.name}/${release.version} on ${stemcell.os}/${stemcell.version}`
    const known = this.#keys.get(id)
    if (known) return known
    const keys = packageKeys(release, stemcell)
    this.#keys.set(id, keys)
    return keys
  }

  /** Adds a package and all it needs to what may have to be compiled. */
  claim(release: Release, stemcell: Stemcell, name: string): void {
    const keys = this.keysOf(release, stemcell)
    const byName = new Map(release.packages.map((item) => [item.name, item]))
    for (const one of [...this.#graph(release).closure(name), name]) {
      const [item, key] = [byName.get(one), keys.get(one)]
      if (!item || key === undefined || this.byKey[key]) continue
      this.byKey[key] = {
        name: one,
        fingerprint: item.fingerprint,
        source: item.digest,
        dependencies: [...item.dependencies].sort().map((need) => ({ name: need, key: keys.get(need) ?? '' })),
        stemcell: { ...stemcell },
      }
    }
  }

  #graph(release: Release): ReturnType<typeof packageGraph> {
    const known = this.#closures.get(release)
    if (known) return known
    const graph = packageGraph({ packages: release.packages })
    this.#closures.set(release, graph)
    return graph
  }
}

/** The sentences of a package error, without the places it does not know. */
export function sentencesOf(error: RemodelError): string[] {
  return error.faults.length > 0 ? error.faults.map((fault) => fault.message) : [error.message]
}
