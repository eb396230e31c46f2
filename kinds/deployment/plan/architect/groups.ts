import type { Os } from '../../../../shared/release/package-form.ts'
import type { Release, ReleaseJob, Stemcell } from '../../../../shared/release/release.ts'
import { RemodelError, toError } from '../../../../shared/runtime/errors.ts'
import type { DiskAttributes } from '../../inputs.ts'
import { jobForm } from '../names.ts'
import type { Group, Job, Manifest } from '../schema/manifest.ts'
import type { GroupStrategy, JobStrategy, WantedAttributes } from '../strategy.ts'
import type { Cloud } from './cloud.ts'
import { type Faults, placeOf, type Sourced } from './faults.ts'
import { groupNetworks } from './group-networks.ts'
import { checkMachine, machinesByAz } from './machines.ts'
import { type NeededPackages, sentencesOf } from './packages.ts'
import { deepMerge, effectiveProperties, misplacedProperties } from './properties.ts'
import { updateStrategy } from './update.ts'
import type { Bound } from './uploads.ts'

/** A group: what its instances are to be, how to get there, and what the checks of links need beside it. */
export interface DrawnGroup {
  strategy: GroupStrategy
  wanted: { count: number; attributes: WantedAttributes; disk: DiskAttributes | null }
  source: Sourced<Group>
  jobs: { strategy: JobStrategy; spec: ReleaseJob; source: Sourced<Job> }[]
}

/** What groups of a manifest are drawn with. Faults are collected in `faults`, packages in `needed`. */
export interface Supplied {
  cloud: Cloud
  bound: Bound
  needed: NeededPackages
  faults: Faults
}

/** One instance group of the manifest, links still empty. Where there are faults the result is unused. */
export function drawGroup(source: Sourced<Group>, manifest: Sourced<Manifest>, supplied: Supplied): DrawnGroup {
  const { cloud, bound, faults } = supplied
  const group = source.value
  for (const [index, az] of (group.azs ?? []).entries()) {
    if (!cloud.azs.has(az)) faults.unknown(source, ['azs', index], { what: 'az', name: az, valid: cloud.azs.keys() })
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
    faults.unknown(source, ['stemcell'], { what: 'stemcell alias', name: group.stemcell, valid: aliases })
  }
  const jobs = drawJobs(source, manifest, bound, faults)
  const { networks, addressable } = groupNetworks(source, cloud, faults)
  const disk = diskOf(source, cloud, faults)
  const packages = stemcell ? packagesOf(jobs, stemcell, supplied) : {}
  return {
    source,
    jobs,
    wanted: {
      count: group.instances,
      attributes: {
        jobs: Object.fromEntries(
          jobs.map(({ strategy: { name, release, fingerprint } }) => [
            name,
            jobForm({ release: release.name, fingerprint }),
          ]),
        ),
        packages,
        state: 'started',
        ...checksOf(jobs),
      },
      disk,
    },
    strategy: {
      name: group.name,
      azs,
      networks,
      addressable,
      stemcell: stemcell ? { ...stemcell } : { name: '', os: '', version: '' },
      machines: machinesByAz(group, azs, cloud),
      jobs: jobs.map((job) => job.strategy),
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
      if (!listed.includes(job.release))
        faults.unknown(at, ['release'], { what: 'release', name: job.release, valid: listed })
      return []
    }
    const spec = release.jobs.get(job.name)
    if (!spec) {
      faults.unknown(at, ['name'], {
        what: `job in release ${job.release}/${release.release.version}`,
        name: job.name,
        valid: release.jobs.keys(),
      })
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
      place: placeOf(at),
    }
    return [{ strategy, spec, source: at }]
  })
}

/** The health checks of the manifest, by job; a job's own are among its files. */
function checksOf(jobs: DrawnGroup['jobs']): Pick<WantedAttributes, 'checks'> {
  const checks = jobs.flatMap(({ strategy: { name }, source: { value } }) =>
    value.health_checks && value.health_checks.length > 0 ? [[name, value.health_checks] as const] : [],
  )
  return checks.length > 0 ? { checks: Object.fromEntries(checks) } : {}
}

/** Packages of all jobs; one name with two contents in one group is a fault: one machine has room for one. */
function packagesOf(
  jobs: DrawnGroup['jobs'],
  stemcell: Stemcell,
  { bound, needed, faults }: Supplied,
): Record<string, string> {
  const found = new Map<string, { key: string; by: string }>()
  const broken = new Set<string>()
  for (const job of jobs) {
    const known = bound.releases.get(job.source.value.release)
    if (!known || broken.has(known.release.name)) continue
    const { release, exportedFrom } = known
    try {
      const forms = needed.formsOf(release, exportedFrom)
      for (const name of job.spec.packages) {
        if (!forms.names.includes(name)) {
          faults.unknown(job.source, ['name'], {
            what: `package in release ${release.name}, which job ${job.spec.name} needs:`,
            name,
            valid: forms.names,
          })
          continue
        }
        const key = needed.add(forms, stemcell, name)
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

function diskOf(source: Sourced<Group>, cloud: Cloud, faults: Faults): DiskAttributes | null {
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
    if (!known)
      faults.unknown(source, ['persistent_disk_type'], { what: 'disk type', name: type, valid: cloud.diskTypes.keys() })
    return known ? { sizeMiB: known.value.disk_size, type } : null
  }
  return size ? { sizeMiB: size, type: null } : null
}
