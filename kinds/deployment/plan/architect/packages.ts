import { type Os, PackageForms } from '../../../../shared/release/package-form.ts'
import type { Release, Stemcell } from '../../../../shared/release/release.ts'
import type { RemodelError } from '../../../../shared/runtime/errors.ts'
import type { PackageStrategy } from '../strategy.ts'

/**
 * Every package that some group needs, by key: what the release has of it for the group's stemcell,
 * and what it needs itself.
 */
export class NeededPackages {
  readonly byKey: Record<string, PackageStrategy> = {}
  readonly #forms = new Map<Release, PackageForms>()

  /** Throws `invalid-input` where packages of the release need each other or one that is not there. */
  formsOf(release: Release, exportedFrom: readonly Os[]): PackageForms {
    const known = this.#forms.get(release)
    if (known) return known
    const forms = new PackageForms(release, exportedFrom)
    this.#forms.set(release, forms)
    return forms
  }

  /**
   * Adds a package, and what it is compiled from, to what may have to be compiled; answers with its key, or undefined
   * where the release has nothing that fits the stemcell.
   */
  add(forms: PackageForms, stemcell: Stemcell, name: string): string | undefined {
    const wanted = forms.find(name, stemcell)
    const open = wanted ? [wanted] : []
    for (let form = open.pop(); form !== undefined; form = open.pop()) {
      if (this.byKey[form.key]) continue
      const { key, compiled: _, stemcell: on, ...rest } = form
      this.byKey[key] = { ...rest, stemcell: { ...stemcell, ...on } }
      // The dependencies of a package that is compiled must be there; those of a compiled one need not.
      if (form.source === undefined) continue
      for (const need of form.dependencies) open.push(forms.find(need.name, stemcell)!)
    }
    return wanted?.key
  }
}

/** The sentences of a package error, without the places it does not know. */
export function sentencesOf(error: RemodelError): string[] {
  return error.faults.length > 0 ? error.faults.map((fault) => fault.message) : [error.message]
}
