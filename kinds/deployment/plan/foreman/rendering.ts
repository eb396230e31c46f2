import type { Fault } from '../../../../shared/runtime/errors.ts'
import { healthChecksFile } from '../../health-checks.ts'
import type { InstanceAttributes } from '../../inputs.ts'
import type { Render, RenderContext, RenderLink, RenderRequest, Supervision } from '../../rendering.ts'
import { rendersTo } from '../names.ts'
import type { JobStrategy } from '../strategy.ts'
import type { ActualInstance } from './actual.ts'
import type { PlanContext } from './context.ts'
import type { Addressed, Rendered } from './stages.ts'
import { groupHost, instanceHost } from './table.ts'
import type { Wanted, WantedGroup } from './wanted.ts'

/** What rendering has found, beside the digests. */
export interface Rendering {
  readonly rendered: readonly Rendered[]
  /** Of all instances, each once: ten instances that miss one property have one fault. */
  readonly faults: readonly Fault[]
  /** What a reader of the plan should know of the jobs. */
  readonly notes: readonly string[]
  readonly unwatched: Unwatched
  readonly idle: Idle
}

/**
 * Third stage: asks for the rendered jobs of all instances in one call; their digests are the configuration of
 * the instances. Objects that are the same for a whole group (properties, links) are shared, so that a
 * renderer may digest them once.
 */
export async function renderJobs(
  { wanted }: PlanContext,
  addressed: readonly Addressed[],
  render: Render,
): Promise<Rendering> {
  const byGroup = Map.groupBy(addressed, (one) => one.group.name)
  const requests = [...byGroup.values()].flatMap((members) => requestsOf(members, wanted, byGroup))
  const results = requests.length > 0 ? await render(requests) : []
  const faults = new Map<string, Fault>()
  const notes = new Set<string>()
  const unwatched = new Map<string, Set<string>>()
  const idle = new Map<string, Set<string>>()
  const refuse = (fault: Fault) => faults.set(JSON.stringify(fault), fault)
  let next = 0
  const rendered = [...byGroup.values()].flat().map((one): Rendered => {
    const { group } = one
    if (one.isLeft && one.old) return { ...one, attributes: leftAttributes(one, one.old) }
    const configuration: Record<string, string> = {}
    const supervised: Supervised[] = []
    for (const job of group.jobs) {
      const result = results[next++]
      if (result === undefined) continue
      if ('fault' in result) refuse(result.fault)
      else {
        configuration[job.name] = result.digest
        if (result.supervision) supervised.push({ job, ...result.supervision })
      }
    }
    for (const fault of [...twice(supervised, 'name'), ...twice(supervised, 'pidfile')]) refuse(fault)
    for (const { job, idle: said } of supervised)
      if (said.length > 0) {
        const of = idle.get(group.name) ?? new Set()
        idle.set(group.name, of.add(`monit of ${job.name} says what has no effect here: ${said.join('; ')}`))
      }
    for (const { job, processes } of supervised)
      if (processes.length === 0)
        notes.add(`job ${job.name} has no process in its monit file: its scripts run, and nothing of it is started`)
      else if (!isWatched(job, group)) {
        const jobs = unwatched.get(group.name) ?? new Set()
        unwatched.set(group.name, jobs.add(job.name))
      }
    return { ...one, attributes: attributesOf(one, configuration) }
  })
  return { rendered, faults: [...faults.values()], notes: [...notes].sort(), unwatched, idle }
}

/** What monit files say that has no effect here, by group: a sentence for each job. */
export type Idle = ReadonlyMap<string, ReadonlySet<string>>

/** What a plan that starts something of these groups says of them; jobs of several groups once. */
export function idleNotes(idle: Idle, started: ReadonlySet<string>): string[] {
  return [...new Set([...idle].filter(([group]) => started.has(group)).flatMap(([, notes]) => [...notes]))]
}

/** What the blueprint says of an instance, with what only the foreman knows of it. */
function attributesOf({ az, networks, group }: Addressed, configuration: Record<string, string>): InstanceAttributes {
  const { jobs, packages, ...rest } = group.attributes
  return { az, networks, jobs, packages, configuration, ...rest }
}

/** One that is left as it is keeps what it has, but for what a person wants of it. */
function leftAttributes({ intents }: Addressed, { attributes: { intents: _, ...had } }: ActualInstance) {
  return intents.length === 0 ? had : { ...had, intents: [...intents] }
}

/** One request for each job of each instance of a group that is not left as it is, in this order. */
function requestsOf(
  members: readonly Addressed[],
  wanted: Wanted,
  byGroup: ReadonlyMap<string, readonly Addressed[]>,
): RenderRequest[] {
  const [bootstrap] = members
  if (!bootstrap) return []
  const { group } = bootstrap
  const jobs = group.jobs.map((job) => ({ job, links: linksOf(job, wanted, byGroup) }))
  const defaults = group.networks.map((network) => network.default.filter((what) => what !== 'addressable'))
  return members.flatMap((one) => {
    if (one.isLeft) return []
    const spec = specOf(one, wanted, defaults, one === bootstrap)
    return jobs.map(({ job, links }): RenderRequest => {
      const context: RenderContext = { properties: job.properties, links, spec: { ...spec, release: job.release } }
      return { job: { name: job.name, digest: job.digest, templates: job.templates }, context, place: job.place }
    })
  })
}

/** Jobs without a health check, by group: that their processes are up is all that is known of them. */
export type Unwatched = ReadonlyMap<string, ReadonlySet<string>>

/** What a plan that starts something of these groups says of their jobs. */
export function unwatchedNotes(unwatched: Unwatched, started: ReadonlySet<string>): string[] {
  return [...unwatched]
    .filter(([group]) => started.has(group))
    .map(
      ([group, jobs]) =>
        `group ${group}: no health check is written for ${[...jobs].join(', ')}; that processes are up is all that is known of ${jobs.size === 1 ? 'it' : 'them'}`,
    )
}

function isWatched({ name, templates }: JobStrategy, { attributes }: WantedGroup): boolean {
  return attributes.checks?.[name] !== undefined || rendersTo(templates, healthChecksFile)
}

interface Supervised extends Supervision {
  job: JobStrategy
}

/**
 * A machine has one process of each name and one of each pidfile: of two with one name the second would never be
 * started, and of two with one pidfile it would be taken for running as soon as the first is.
 */
function twice(jobs: readonly Supervised[], what: 'name' | 'pidfile'): Fault[] {
  const first = new Map<string, { job: JobStrategy; name: string }>()
  return jobs.flatMap(({ job, processes }) =>
    processes.flatMap((process): Fault[] => {
      const found = process[what]
      const other = first.get(found)
      if (!other) first.set(found, { job, name: process.name })
      // What has one name is said once.
      if (!other || (what === 'pidfile' && other.name === process.name)) return []
      const { name, place } = other.job
      const where = other.job === job ? 'the same job' : `job ${name} (${place.file}:${place.line})`
      const message =
        what === 'name'
          ? `process "${found}" of job ${job.name} is there already, in ${where}: a machine has one of each name`
          : `process "${process.name}" of job ${job.name} has the pidfile of "${other.name}", in ${where}: ${found}`
      return [{ ...job.place, message, found }]
    }),
  )
}

/** `spec` of one instance; what differs between its jobs is left out. */
function specOf(
  { group, index, az, vm }: Addressed,
  { deployment, useDns }: Wanted,
  defaults: readonly string[][],
  bootstrap: boolean,
): Omit<RenderContext['spec'], 'release'> {
  const networks: RenderContext['spec']['networks'] = {}
  for (const [at, network] of vm.networks.entries()) {
    networks[network.name] = {
      ip: network.address,
      default: defaults[at] ?? [],
      dns_record_name: instanceHost(deployment, group.name, index, network.name),
    }
  }
  const ip = networks[group.addressable]?.ip ?? ''
  return {
    name: group.name,
    index,
    id: `${group.name}-${index}`,
    az,
    bootstrap,
    deployment,
    address: useDns ? (networks[group.addressable]?.dns_record_name ?? ip) : ip,
    ip,
    networks,
    persistent_disk: group.disk?.sizeMiB ?? 0,
    job: { name: group.name },
  }
}

function linksOf(
  job: JobStrategy,
  { deployment }: Wanted,
  byGroup: ReadonlyMap<string, readonly Addressed[]>,
): Record<string, RenderLink> {
  return Object.fromEntries(
    Object.entries(job.links).map(([name, link]): [string, RenderLink] => {
      if ('addresses' in link) {
        const instances = link.addresses.map((address, index) => ({
          name,
          index,
          id: `${name}-${index}`,
          az: null,
          bootstrap: index === 0,
          address,
        }))
        return [name, { address: link.address, properties: link.properties, instances }]
      }
      const members = byGroup.get(link.group) ?? []
      const instances = members.map(({ index, az, vm }, at) => ({
        name: link.group,
        index,
        id: `${link.group}-${index}`,
        az,
        bootstrap: at === 0,
        address: link.useDns
          ? instanceHost(deployment, link.group, index, link.network)
          : (vm.networks.find((network) => network.name === link.network)?.address ?? ''),
      }))
      return [
        name,
        { address: groupHost(deployment, link.group, link.network), properties: link.properties, instances },
      ]
    }),
  )
}
