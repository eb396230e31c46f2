import type { Fault } from '../../../../shared/runtime/errors.ts'
import { healthChecksFile } from '../../health-checks.ts'
import type { Render, RenderContext, RenderLink, RenderRequest } from '../../rendering.ts'
import { rendersTo } from '../names.ts'
import type { GroupStrategy, JobStrategy, Strategy } from '../strategy.ts'
import { groupHost, instanceHost } from './table.ts'
import type { Task } from './task.ts'

/**
 * Asks for the rendered jobs of all instances in one call and writes their digests into the tasks. Objects that are the
 * same for a whole group (properties, links) are shared, so that a renderer may digest them once.
 *
 * Returns the faults of all instances, each once: ten instances that miss one property have one fault; and what a reader of the plan
 * should know of them.
 */
export async function renderJobs(
  strategy: Strategy,
  tasks: readonly Task[],
  render: Render,
): Promise<{ faults: Fault[]; notes: string[]; unwatched: Unwatched }> {
  const byGroup = Map.groupBy(tasks, (task) => task.group.name)
  const links = new Map<JobStrategy, Record<string, RenderLink>>()
  const requests: RenderRequest[] = []
  for (const [name, members] of byGroup) {
    const group = members[0]?.group
    if (!group) continue
    const bootstrap = members[0]?.index
    for (const job of group.jobs) links.set(job, linksOf(job, strategy, byGroup))
    const groupNames = group.networks.map((network) => defaultsOf(group, network.name))
    for (const task of members) {
      const { group: _, ...spec } = { group: name, ...specOf(task, strategy, groupNames, task.index === bootstrap) }
      for (const job of group.jobs) {
        const context: RenderContext = {
          properties: job.properties,
          links: links.get(job) ?? {},
          spec: { ...spec, release: job.release },
        }
        requests.push({
          job: { name: job.name, digest: job.digest, templates: job.templates },
          context,
          place: job.place,
        })
      }
    }
  }
  const unwatched = new Map<string, Set<string>>()
  if (requests.length === 0) return { faults: [], notes: [], unwatched }
  const results = await render(requests)
  const faults = new Map<string, Fault>()
  const notes = new Set<string>()
  let next = 0
  for (const members of byGroup.values()) {
    for (const task of members) {
      const supervised: Supervised[] = []
      for (const job of task.group.jobs) {
        const result = results[next++]
        if (result === undefined) continue
        if ('fault' in result) faults.set(JSON.stringify(result.fault), result.fault)
        else {
          task.attributes.configuration[job.name] = result.digest
          if (result.processes) supervised.push({ job, processes: result.processes })
        }
      }
      for (const fault of namesTwice(supervised)) faults.set(JSON.stringify(fault), fault)
      for (const { job, processes } of supervised)
        if (processes.length === 0)
          notes.add(`job ${job.name} has no process in its monit file: its scripts run, and nothing of it is started`)
        else if (!isWatched(job)) {
          const jobs = unwatched.get(task.group.name) ?? new Set()
          unwatched.set(task.group.name, jobs.add(job.name))
        }
    }
  }
  return { faults: [...faults.values()], notes: [...notes].sort(), unwatched }
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

function isWatched({ checks, templates }: JobStrategy): boolean {
  return checks !== undefined || rendersTo(templates, healthChecksFile)
}

interface Supervised {
  job: JobStrategy
  processes: readonly string[]
}

/** A machine has one process of each name: of two, the second would never be started. */
function namesTwice(jobs: readonly Supervised[]): Fault[] {
  const first = new Map<string, JobStrategy>()
  return jobs.flatMap(({ job, processes }) =>
    processes.flatMap((name): Fault[] => {
      const other = first.get(name)
      if (!other) first.set(name, job)
      if (!other) return []
      const where = other === job ? 'the same job' : `job ${other.name} (${other.place.file}:${other.place.line})`
      const message = `process "${name}" of job ${job.name} is there already, in ${where}: a machine has one of each name`
      return [{ ...job.place, message, found: name }]
    }),
  )
}

function defaultsOf(group: GroupStrategy, network: string): string[] {
  return group.networks.find((item) => item.name === network)?.default.filter((what) => what !== 'addressable') ?? []
}

/** `spec` of one instance; what differs between its jobs is left out. */
function specOf(
  task: Task,
  strategy: Strategy,
  defaults: string[][],
  bootstrap: boolean,
): Omit<RenderContext['spec'], 'release'> {
  const { group, index, az, vm } = task
  const networks: RenderContext['spec']['networks'] = {}
  for (const [place, network] of vm.networks.entries()) {
    networks[network.name] = {
      ip: network.address,
      default: defaults[place] ?? [],
      dns_record_name: instanceHost(strategy.deployment, group.name, index, network.name),
    }
  }
  const ip = networks[group.addressable]?.ip ?? ''
  return {
    name: group.name,
    index,
    id: `${group.name}-${index}`,
    az,
    bootstrap,
    deployment: strategy.deployment,
    address: strategy.useDns ? (networks[group.addressable]?.dns_record_name ?? ip) : ip,
    ip,
    networks,
    persistent_disk: group.disk?.sizeMiB ?? 0,
    job: { name: group.name },
  }
}

function linksOf(
  job: JobStrategy,
  strategy: Strategy,
  byGroup: ReadonlyMap<string, readonly Task[]>,
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
      const instances = members.map((task, place) => ({
        name: link.group,
        index: task.index,
        id: `${link.group}-${task.index}`,
        az: task.az,
        bootstrap: place === 0,
        address: link.useDns
          ? instanceHost(strategy.deployment, link.group, task.index, link.network)
          : (task.vm.networks.find((network) => network.name === link.network)?.address ?? ''),
      }))
      return [
        name,
        { address: groupHost(strategy.deployment, link.group, link.network), properties: link.properties, instances },
      ]
    }),
  )
}
