import { RemodelError } from '../../../shared/runtime/errors.ts'

type Hash = Readonly<Record<string, unknown>>

/** Keys of an instance that templates may see, beside `networks`, `properties`, `links` and `ip`. */
const INSTANCE_KEYS = [
  'deployment',
  'job',
  'index',
  'bootstrap',
  'name',
  'id',
  'az',
  'properties_need_filtering',
  'dns_domain_name',
  'address',
  'persistent_disk',
  'networks',
  'properties',
]

const LINK_KEYS = [
  'deployment_name',
  'domain',
  'default_network',
  'instance_group',
  'group_name',
  'instances',
  'properties',
  'use_link_dns_names',
  'use_short_dns_addresses',
  'address',
]

/** A dynamic network has no address before its first machine: templates see this one meanwhile. */
const NO_ADDRESS_YET = '127.0.0.1'

/**
 * What templates see of an instance, by BOSH's rules (cases `template-spec.json`): known keys only, `ip` of the network
 * with default `addressable`, else of the first with default `gateway`, a `dns_record_name` for each network.
 *
 * `links`: job -> link name -> link.
 */
export function templateSpec(
  instance: Hash,
  links: Record<string, Record<string, Hash>> = {},
): Record<string, unknown> {
  const networks = Object.entries((instance.networks ?? {}) as Record<string, Hash>)
  return {
    ...pick(instance, INSTANCE_KEYS),
    networks: Object.fromEntries(networks.map(([name, network]) => [name, networkSpec(name, network, instance)])),
    links: Object.fromEntries(
      Object.entries(links).map(([job, byName]) => [
        job,
        Object.fromEntries(Object.entries(byName).map(([name, link]) => [name, pick(link, LINK_KEYS)])),
      ]),
    ),
    ip: addressOf(networks.map(([, network]) => network)),
  }
}

function networkSpec(name: string, network: Hash, instance: Hash): Hash {
  const job = instance.job as Hash | null | undefined
  const record = job && [instance.index, job.name, name, instance.deployment].map((part) => canonicalName(String(part)))
  return {
    ...network,
    ...(record ? { dns_record_name: [...record, instance.dns_domain_name].join('.') } : {}),
    ...(network.type === 'dynamic'
      ? {
          ip: network.ip ?? NO_ADDRESS_YET,
          netmask: network.netmask ?? NO_ADDRESS_YET,
          gateway: network.gateway ?? NO_ADDRESS_YET,
        }
      : {}),
  }
}

function addressOf(networks: readonly Hash[]): unknown {
  const withDefault = (wanted: string) =>
    networks.find((network) => Array.isArray(network.default) && network.default.includes(wanted))
  return (withDefault('addressable') ?? withDefault('gateway'))?.ip ?? null
}

/** A name as DNS takes it: lower case, `_` as `-`, nothing else but letters, digits and `-`. Throws `invalid-input`. */
function canonicalName(name: string): string {
  const text = name
    .toLowerCase()
    .replaceAll('_', '-')
    .replaceAll(/[^a-z0-9-]/g, '')
  const end = text.startsWith('-') ? 'start' : text.endsWith('-') ? 'end' : undefined
  if (end === undefined) return text
  throw new RemodelError('invalid-input', `Invalid DNS canonical name '${text}', cannot ${end} with a hyphen`)
}

function pick(from: Hash, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(keys.filter((key) => key in from).map((key) => [key, from[key]]))
}
