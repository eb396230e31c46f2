import type { UsedRelease } from '../../../shared/api/schemas/release.ts'
import { type ActualMaterial, materialType } from '../../../shared/model/material.ts'
import { osOf, PackageForms } from '../../../shared/release/package-form.ts'
import type { Release, Stemcell } from '../../../shared/release/release.ts'
import { compareVersions } from '../../../shared/release/version.ts'
import { InstanceAttributes, VmAttributes } from '../inputs.ts'
import { jobFormOf, vmId } from './names.ts'

interface Use {
  /** Job -> fingerprint. */
  jobs: Map<string, string>
  /** What instances have of its packages: stemcell and keys by name. */
  packages: { stemcell: Stemcell | undefined; keys: Readonly<Record<string, string>>; jobs: string[] }[]
}

/**
 * Which releases stand, going by what instances run: of every name the versions whose jobs and packages are exactly
 * those. Versions that do not differ in these are all named, the newest first. Pure.
 */
export function releasesInUse(
  materials: readonly ActualMaterial[],
  catalog: { releases: readonly Release[]; stemcells: readonly Stemcell[] },
): UsedRelease[] {
  return [...usesOf(materials, catalog.stemcells)].sort(byName).flatMap(([name, use]) =>
    catalog.releases
      .filter((release) => release.name === name && fits(release, use))
      .sort((a, b) => compareVersions(b.version, a.version))
      .map(({ version }) => ({ name, version, jobs: [...use.jobs.keys()].sort() })),
  )
}

function usesOf(materials: readonly ActualMaterial[], stemcells: readonly Stemcell[]): Map<string, Use> {
  const byId = new Map(stemcells.map((one) => [`${one.name}/${one.version}`, one]))
  const vms = new Map(materials.map((material) => [material.id, material]))
  const uses = new Map<string, Use>()
  for (const material of materials) {
    if (materialType(material.id) !== 'instance') continue
    const instance = InstanceAttributes.safeParse(material.attributes)
    if (!instance.success) continue
    const vm = VmAttributes.safeParse(vms.get(vmId(String(material.meta.vm)))?.attributes)
    const stemcell = vm.success ? byId.get(vm.data.stemcell) : undefined
    const jobs = Object.entries(instance.data.jobs).map(([job, text]) => ({ job, ...jobFormOf(text) }))
    for (const [release, own] of Map.groupBy(jobs, (one) => one.release)) {
      const use: Use = uses.get(release) ?? { jobs: new Map(), packages: [] }
      for (const { job, fingerprint } of own) use.jobs.set(job, fingerprint)
      use.packages.push({ stemcell, keys: instance.data.packages, jobs: own.map((one) => one.job) })
      uses.set(release, use)
    }
  }
  return uses
}

function fits(release: Release, use: Use): boolean {
  const jobs = new Map(release.jobs.map((job) => [job.name, job]))
  for (const [name, fingerprint] of use.jobs) if (jobs.get(name)?.fingerprint !== fingerprint) return false
  const forms = new PackageForms(release)
  return use.packages.every(({ stemcell, keys, jobs: own }) => {
    // Of a machine or stemcell that is gone nothing can be said but what the jobs say.
    if (!stemcell) return true
    const names = own.flatMap((job) => jobs.get(job)?.packages ?? [])
    return names.every((name) => isForm(forms, name, stemcell, keys[name]))
  })
}

/** `exported_from` may have chosen any of the stemcells that the package is compiled for. */
function isForm(forms: PackageForms, name: string, stemcell: Stemcell, key: string | undefined): boolean {
  if (forms.find(name, stemcell)?.key === key) return true
  return forms.compiledFor(name).some((text) => forms.find(name, osOf(text))?.key === key)
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1
}
