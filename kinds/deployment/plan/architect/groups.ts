import type { Os } from '../../../../shared/release/package-form.ts'
import type { Release, ReleaseJob } from '../../../../shared/release/release.ts'
import { RemodelError, toError } from '../../../../shared/runtime/errors.ts'
import type { Group, Job, Manifest } from '../schema/manifest.ts'
import type { GroupStrategy, JobStrategy } from '../strategy.ts'
import type { Cloud } from './cloud.ts'
import { type Faults, placeOf, type Sourced } from './faults.ts'
import { groupNetworks } from './group-networks.ts'
import { checkMachine, machinesByAz } from './machines.ts'
import { type PackageClaims, sentencesOf } from './packages.ts'
import { deepMerge, effectiveProperties, misplacedProperties } from './properties.ts'
import type { Bound } from './supplies.ts'
import { updateStrategy } from './update.ts'

/** A group with what the checks of links need beside it. */
export interface DrawnGroup {
  strategy: GroupStrategy
  source: Sourced<Group>
  jobs: { strategy: JobStrategy; spec: ReleaseJob; source: Sourced<Job> }[]
}

/** One instance group of the manifest -> its strategy, links still empty. Faults are collected; the result is then unused. */
export function drawGroup(
  source: Sourced<Group>,
  manifest: Sourced<Manifest>,
  cloud: Cloud,
  bound: Bound,
  claims: PackageClaims,
  faults: Faults,
): DrawnGroup {
  const group = source.value
  for (const [index, az] of (group.azs ?? []).entries()) {
    if (!cloud.azs.has(az)) faults.unknown(source, ['azs', index], 'az', az, cloud.azs.keys())
  }
  const azs = group.azs ? [...new Set(group.azs)] : null
  checkMachine(source, cloud, faults)
  if (group.vm_type === undefined && group.vm_resources === undefined) {
    faults.add(source, ['vm_type'], 'is missing: a group needs vm_type or vm_resources', {
      allowed: [...cloud.vmTypes.keys()].sort().join(', '),
    })
  }
  const stemcell = bound.stemcells.get(group.stemcell)
  if (!stemcell && !manifest.value.stemcells.some((item) => item.alias === group.stemcell)) {
    const aliases = manifest.value.stemcells.map((item) => item.alias)
    faults.unknown(source, ['stemcell'], 'stemcell alias', group.stemcell, aliases)
  }
  const jobs = drawJobs(source, manifest, bound, faults)
  const { networks, addressable } = groupNetworks(source, cloud, faults)
  return {
    source,
    jobs,
    strategy: {
      name: group.name,
      instances: group.instances,
      azs,
      networks,
      addressable,
      stemcell: stemcell ? { ...stemcell } : { name: '', os: '', version: '' },
      machines: machinesByAz(group, azs, cloud),
      disk: diskOf(source, cloud, faults),
      jobs: jobs.map((job) => job.strategy),
      packages: stemcell ? packagesOf(jobs, bound, stemcell, claims, faults) : {},
      update: updateStrategy(
        { ...manifest, path: ['update'], value: manifest.value.update },
        { ...source, path: [...source.path, 'update'], value: group.update ?? {} },
        faults,
      ),
      migratedFrom: (group.migrated_from ?? []).map(({ name, az = null }) => ({ name, az })),
      place: placeOf(source),
    },
  }
}

function drawJobs(
  source: Sourced<Group>,
  manifest: Sourced<Manifest>,
  bound: Bound,
  faults: Faults,
): DrawnGroup['jobs'] {
  const group = source.value
  const jobs = group.jobs.map((value, index) => ({
    ...source,
    name: value.name,
    value,
    path: [...source.path, 'jobs', index],
  }))
  faults.duplicates('job', jobs)
  return jobs.flatMap(({ name: _, ...at }) => {
    const job = at.value
    const release = bound.releases.get(job.release)
    if (!release) {
      const listed = manifest.value.releases.map((item) => item.name)
      // A release that is listed but was not found is a fault of its own already.
      if (!listed.includes(job.release)) faults.unknown(at, ['release'], 'release', job.release, listed)
      return []
    }
    const spec = release.jobs.get(job.name)
    if (!spec) {
      faults.unknown(
        at,
        ['name'],
        `job in release ${job.release}/${release.release.version}`,
        job.name,
        release.jobs.keys(),
      )
      return []
    }
    // Only a job without properties of its own sees those of its group and deployment (legacy).
    const given = job.properties ?? deepMerge(manifest.value.properties ?? {}, group.properties ?? {})
    for (const { path, names, found } of misplacedProperties(spec, given)) {
      const below = job.properties ? ['properties', ...path] : []
      faults.add(
        at,
        below,
        `property "${path.join('.')}" of job ${job.name} is a map: its spec defines ${names.join(', ')}`,
        {
          found,
          allowed: 'a map',
        },
      )
    }
    const strategy: JobStrategy = {
      name: job.name,
      release: { name: job.release, version: release.release.version },
      fingerprint: spec.fingerprint,
      digest: spec.digest,
      templates: spec.templates,
      properties: effectiveProperties(spec, given),
      links: {},
      ...(job.health_checks && job.health_checks.length > 0 ? { checks: job.health_checks } : {}),
      place: placeOf(at),
    }
    return [{ strategy, spec, source: at }]
  })
}

/** Packages of all jobs; one name with two contents in one group is a fault (bosh.md, parity traps). */
function packagesOf(
  jobs: DrawnGroup['jobs'],
  bound: Bound,
  stemcell: NonNullable<ReturnType<Bound['stemcells']['get']>>,
  claims: PackageClaims,
  faults: Faults,
): Record<string, string> {
  const found = new Map<string, { key: string; by: string }>()
  const broken = new Set<string>()
  for (const job of jobs) {
    const known = bound.releases.get(job.source.value.release)
    if (!known || broken.has(known.release.name)) continue
    const { release, exportedFrom } = known
    try {
      const forms = claims.formsOf(release, exportedFrom)
      for (const name of job.spec.packages) {
        if (!forms.names.includes(name)) {
          faults.unknown(
            job.source,
            ['name'],
            `package in release ${release.name}, which job ${job.spec.name} needs:`,
            name,
            forms.names,
          )
          continue
        }
        const key = claims.claim(forms, stemcell, name)
        const by = `${job.spec.name} of release ${release.name}`
        if (key === undefined) {
          faults.add(job.source, ['release'], lacking(release, name, stemcell, exportedFrom), {
            found: `${stemcell.os}/${stemcell.version}`,
            allowed: forms.compiledFor(name).join(', ') || 'none: it is not compiled for any stemcell',
          })
          continue
        }
        const other = found.get(name)
        if (other && other.key !== key) {
          faults.add(
            job.source,
            [],
            `package "${name}" of job ${by} is another one than that of job ${other.by}: one machine has room for one`,
          )
        }
        found.set(name, { key, by })
      }
    } catch (error) {
      if (!(error instanceof RemodelError) || error.code !== 'invalid-input') throw toError(error)
      broken.add(release.name)
      for (const sentence of sentencesOf(error)) {
        const said = `release ${release.name}/${release.version}: ${sentence}`
        if (!faults.list.some((fault) => fault.message === said)) faults.add(job.source, ['release'], said)
      }
    }
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, { key }]) => [name, key]))
}

/** Errors 60001 and 60003 of BOSH. */
function lacking(release: Release, name: string, stemcell: Os, exportedFrom: readonly Os[]): string {
  const of = `package "${name}" of release ${release.name}/${release.version}`
  if (exportedFrom.length === 0)
    return `${of} has no source, and is not compiled for ${stemcell.os}/${stemcell.version}`
  const places = exportedFrom.map(({ os, version }) => `${os}/${version}`).join(', ')
  return `${of} is not there as exported from ${places}`
}

function diskOf(source: Sourced<Group>, cloud: Cloud, faults: Faults): GroupStrategy['disk'] {
  const { persistent_disk: size, persistent_disk_type: type, persistent_disks: several } = source.value
  if ((several ?? []).length > 0) {
    faults.add(
      source,
      ['persistent_disks'],
      'several disks per instance are not supported: use persistent_disk or persistent_disk_type',
    )
  }
  if (size !== undefined && type !== undefined) {
    faults.add(source, ['persistent_disk'], 'a group has either persistent_disk or persistent_disk_type, not both')
  }
  if (type !== undefined) {
    const known = cloud.diskTypes.get(type)
    if (!known) faults.unknown(source, ['persistent_disk_type'], 'disk type', type, cloud.diskTypes.keys())
    return known ? { sizeMiB: known.value.disk_size, type } : null
  }
  return size ? { sizeMiB: size, type: null } : null
}
