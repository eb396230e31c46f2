import type { LinkDefinition, ReleaseJob } from '../../../../shared/release/release.ts'
import { suggest } from '../../../../shared/source/document.ts'
import type { GroupStrategy, JobStrategy, LinkStrategy } from '../strategy.ts'
import type { Faults } from './faults.ts'
import type { DrawnGroup } from './groups.ts'
import { inOrder, pickProperties } from './properties.ts'

interface Provider {
  /** What consumers say in `from`. */
  alias: string
  type: string
  group: DrawnGroup
  job: DrawnGroup['jobs'][number]
  definition: LinkDefinition
}

/**
 * Resolves the links of all jobs (`D/links/links_manager.rb`): by name where the manifest says `from`, else
 * by type, which must then be unambiguous. `nil` takes a link away. Returns the strategies of the groups
 * with the links of their jobs.
 */
export function resolveLinks(groups: readonly DrawnGroup[], useDns: boolean, faults: Faults): GroupStrategy[] {
  const providers = groups.flatMap((group) => group.jobs.flatMap((job) => providersOf(group, job, faults)))
  return groups.map((group) => ({
    ...group.strategy,
    jobs: group.jobs.map((job): JobStrategy => {
      for (const name of Object.keys(job.source.value.consumes ?? {})) {
        if (!job.spec.consumes.some((link) => link.name === name)) {
          faults.unknown(job.source, ['consumes', name], {
            what: `link that job ${job.spec.name} consumes:`,
            name,
            valid: job.spec.consumes.map((link) => link.name),
          })
        }
      }
      const links = job.spec.consumes.flatMap((wanted): [string, LinkStrategy][] => {
        const link = resolve(wanted, job, { providers, useDns }, faults)
        return link ? [[wanted.name, link]] : []
      })
      return { ...job.strategy, links: Object.fromEntries(links) }
    }),
  }))
}

function providersOf(group: DrawnGroup, job: DrawnGroup['jobs'][number], faults: Faults): Provider[] {
  const said = job.source.value.provides ?? {}
  const known = job.spec.provides.map((link) => link.name)
  for (const name of Object.keys(said)) {
    const custom = (job.source.value.custom_provider_definitions ?? []).map((link) => link.name)
    if (!known.includes(name) && !custom.includes(name)) {
      faults.unknown(job.source, ['provides', name], {
        what: `link that job ${job.spec.name} provides:`,
        name,
        valid: known,
      })
    }
  }
  return job.spec.provides.flatMap((definition) => {
    const how = said[definition.name]
    if (how === null || how === 'nil') return []
    for (const name of definition.properties) {
      if (!defines(job.spec, name)) {
        const what = `link "${definition.name}" of job ${job.spec.name} provides property "${name}", which the job's spec does not define`
        faults.add(job.source, ['name'], what, { found: name, ...suggest(name, Object.keys(job.spec.properties)) })
      }
    }
    return [{ alias: how?.as ?? definition.name, type: definition.type, group, job, definition }]
  })
}

/** Itself, or a part of it. */
function defines(spec: ReleaseJob, name: string): boolean {
  return Object.keys(spec.properties).some((known) => known === name || known.startsWith(`${name}.`))
}

function resolve(
  wanted: LinkDefinition,
  job: DrawnGroup['jobs'][number],
  { providers, useDns }: { providers: readonly Provider[]; useDns: boolean },
  faults: Faults,
): LinkStrategy | null {
  const at = job.source
  const how = at.value.consumes?.[wanted.name]
  const below = how === undefined ? [] : ['consumes', wanted.name]
  if (how === null || how === 'nil') {
    if (!wanted.optional)
      faults.add(at, below, `link "${wanted.name}" of job ${job.spec.name} is not optional and cannot be nil`, {
        found: 'nil',
      })
    return null
  }
  if (how?.deployment !== undefined) {
    faults.add(at, [...below, 'deployment'], 'links to other deployments are not supported', { found: how.deployment })
    return null
  }
  if (how?.instances) {
    const addresses = how.instances.map((instance) => instance.address)
    return { addresses, address: how.address ?? addresses[0] ?? '', properties: inOrder(how.properties ?? {}) }
  }
  const ofType = providers.filter((provider) => provider.type === wanted.type)
  const matches = how?.from === undefined ? ofType : ofType.filter((provider) => provider.alias === how.from)
  const list = (of: readonly Provider[]) =>
    of.map((one) => `${one.alias} of ${one.group.strategy.name}/${one.job.spec.name}`).join(', ')
  if (matches.length === 0) {
    if (how?.from === undefined && wanted.optional) return null
    const names = ofType.map((provider) => provider.alias)
    faults.add(
      at,
      how?.from === undefined ? below : [...below, 'from'],
      `no job provides link "${wanted.name}" of type ${wanted.type} for job ${job.spec.name}`,
      {
        ...(how?.from === undefined ? {} : { found: how.from, ...suggest(how.from, names) }),
        allowed: list(ofType) || `a job that provides type ${wanted.type}`,
      },
    )
    return null
  }
  const [provider] = matches
  if (!provider || matches.length > 1) {
    faults.add(
      at,
      below,
      `several jobs provide link "${wanted.name}" of type ${wanted.type} for job ${job.spec.name}: say which with from`,
      {
        found: list(matches),
      },
    )
    return null
  }
  const group = provider.group.strategy
  const network = how?.network ?? group.addressable
  if (!group.networks.some((item) => item.name === network)) {
    faults.unknown(at, [...below, 'network'], {
      what: `network of group ${group.name}:`,
      name: network,
      valid: group.networks.map((item) => item.name),
    })
  }
  return {
    group: group.name,
    network,
    useDns: how?.ip_addresses === undefined ? useDns : !how.ip_addresses,
    properties: pickProperties(
      provider.job.strategy.properties as Record<string, unknown>,
      provider.definition.properties,
    ),
  }
}
