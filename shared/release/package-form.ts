import { packageGraph } from './package-graph.ts'
import { packageKey } from './package-key.ts'
import type { CompiledReleasePackage, Release, ReleasePackage } from './release.ts'
import { compareVersions, sameMajor } from './version.ts'

/** What a stemcell is to a package. */
export interface Os {
  os: string
  version: string
}

/** The form in which a package of a release comes to a machine. */
export interface PackageForm {
  name: string
  fingerprint: string
  key: string
  /**
   * The stemcell it is compiled on: another version than that of the machine where the release has it compiled only.
   */
  stemcell: Os
  /** Blob of its source; absent where the release has it compiled only, or that form is asked for. */
  source?: string
  /** Blob of its compiled form, where the release brings it. */
  compiled?: string
  dependencies: { name: string; key: string }[]
}

/**
 * Which form of its packages a release has for a stemcell. Pure. The rule is BOSH's (`compiled_package_finder.rb`):
 * what was compiled on exactly this stemcell is taken; else it is compiled from source; where there is no source, what
 * was compiled on the newest version of the same os and major version is taken. With `exported_from` only what was
 * compiled on exactly one of those stemcells counts.
 *
 * A key always names the stemcell that the package was really compiled on, so a compiled package of a release and one
 * that was compiled here from the same source have one key, and never stand in for each other across versions.
 */
export class PackageForms {
  readonly #sources: Map<string, ReleasePackage>
  readonly #compiled: Map<string, CompiledReleasePackage[]>
  readonly #graph: ReturnType<typeof packageGraph>
  readonly #exportedFrom: readonly Os[]
  readonly #filled = new Set<string>()
  readonly #known = new Map<string, PackageForm | null>()

  /** Throws `invalid-input` where packages need each other in a circle, or one that is not there. */
  constructor(release: Pick<Release, 'packages' | 'compiledPackages'>, exportedFrom: readonly Os[] = []) {
    this.#graph = packageGraph(release)
    this.#sources = new Map(release.packages.map((item) => [item.name, item]))
    this.#compiled = Map.groupBy(release.compiledPackages ?? [], (item) => item.name)
    this.#exportedFrom = exportedFrom
  }

  /** All names, each after what it needs. */
  get names(): readonly string[] {
    return this.#graph.order
  }

  /** Everything a package needs, directly or not, in order. */
  closure(name: string): readonly string[] {
    return this.#graph.closure(name)
  }

  /** The stemcells that a package is there for in compiled form: `<os>/<version>`. */
  compiledFor(name: string): string[] {
    return (this.#compiled.get(name) ?? []).map((item) => item.stemcell)
  }

  /**
   * Undefined where the release does not have the package in a form that fits, or lacks one that it was compiled with.
   */
  find(name: string, stemcell: Os): PackageForm | undefined {
    return this.#find(name, stemcell, this.#exportedFrom)
  }

  #find(name: string, stemcell: Os, exportedFrom: readonly Os[]): PackageForm | undefined {
    const id = `${name} ${stemcell.os}/${stemcell.version} ${exportedFrom.length}`
    const known = this.#known.get(id)
    if (known !== undefined) return known ?? undefined
    const form = this.#resolve(name, stemcell, exportedFrom)
    this.#known.set(id, form ?? null)
    return form
  }

  #resolve(name: string, stemcell: Os, exportedFrom: readonly Os[]): PackageForm | undefined {
    const source = this.#sources.get(name)
    if (exportedFrom.length > 0) {
      const fitting = exportedFrom.find((one) => one.os === stemcell.os && this.#compiledOn(name, one))
      return fitting && this.#form(fitting, this.#compiledOn(name, fitting)!)
    }
    const exact = this.#compiledOn(name, stemcell)
    if (exact ?? source) return this.#form(stemcell, (exact ?? source)!, source)
    const newest = (this.#compiled.get(name) ?? [])
      .map((item) => ({ item, on: osOf(item.stemcell) }))
      .filter(({ on }) => on.os === stemcell.os && sameMajor(on.version, stemcell.version))
      .sort((a, b) => compareVersions(a.on.version, b.on.version))
      .at(-1)
    return newest && this.#form(newest.on, newest.item)
  }

  #form(stemcell: Os, item: ReleasePackage | CompiledReleasePackage, source?: ReleasePackage): PackageForm | undefined {
    const { name, fingerprint } = item
    this.#fill(stemcell)
    const dependencies: PackageForm['dependencies'] = []
    for (const need of [...item.dependencies].sort()) {
      const form = this.#find(need, stemcell, [])
      if (!form) return undefined
      dependencies.push({ name: need, key: form.key })
    }
    const key = packageKey({ name, fingerprint, dependencyKeys: dependencies.map((need) => need.key), stemcell })
    return {
      name,
      fingerprint,
      key,
      stemcell: { os: stemcell.os, version: stemcell.version },
      dependencies,
      ...(source ? { source: source.digest } : {}),
      ...('stemcell' in item ? { compiled: item.digest } : {}),
    }
  }

  /** In the order of the graph, so that a long chain of packages is no deep recursion. */
  #fill(stemcell: Os): void {
    const id = `${stemcell.os}/${stemcell.version}`
    if (this.#filled.has(id)) return
    this.#filled.add(id)
    for (const name of this.#graph.order) this.#find(name, stemcell, [])
  }

  #compiledOn(name: string, { os, version }: Os): CompiledReleasePackage | undefined {
    return this.#compiled.get(name)?.find((item) => item.stemcell === `${os}/${version}`)
  }
}

/** `<os>/<version>` as two. */
export function osOf(text: string): Os {
  const at = text.indexOf('/')
  return { os: text.slice(0, at), version: text.slice(at + 1) }
}
