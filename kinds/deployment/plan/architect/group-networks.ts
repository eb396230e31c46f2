import { find } from '../network/intervals.ts'
import { formatIp, type Ip, parseInterval } from '../network/ip.ts'
import type { Group } from '../schema/manifest.ts'
import type { GroupNetworkStrategy } from '../strategy.ts'
import type { Cloud } from './cloud.ts'
import { type Faults, placeOf, type Sourced } from './faults.ts'
import type { NetworkPlan } from './networks.ts'

/** A range of static addresses longer than this is a slip of the pen, not a wish. */
const mostStatics = 65_536n

/**
 * The networks of a group: names, AZs, defaults and static addresses checked (`DP/instance_group_networks_parser.rb`).
 */
export function groupNetworks(
  source: Sourced<Group>,
  cloud: Cloud,
  faults: Faults,
): { networks: GroupNetworkStrategy[]; addressable: string } {
  const group = source.value
  const items = group.networks.map((value, index) => ({
    ...source,
    name: value.name,
    value,
    path: [...source.path, 'networks', index],
  }))
  faults.duplicates('network', items)
  const networks = items.map((at): GroupNetworkStrategy => {
    const wanted = at.value
    const network = cloud.networks.get(wanted.name)?.value
    if (!network) faults.unknown(at, ['name'], { what: 'network', name: wanted.name, valid: cloud.networks.keys() })
    else if (network.type === 'dynamic') {
      faults.add(
        at,
        ['name'],
        `network "${wanted.name}" is dynamic: its addresses come from the cloud and cannot be planned`,
        {
          allowed: 'a manual or vip network',
        },
      )
    } else if (network.type === 'manual') checkAzs(at, network, group, faults)
    const entry: GroupNetworkStrategy = { name: wanted.name, static: null, default: wanted.default ?? [] }
    if (network && network.type !== 'dynamic') {
      entry.static = statics(at, network, group, faults)
      if (entry.static) entry.place = placeOf({ ...at, path: [...at.path, 'static_ips'] })
      if (network.type === 'vip' && !entry.static)
        faults.add(at, ['static_ips'], 'is missing: a vip network gives no addresses of its own')
    }
    return entry
  })
  const completed = withDefaults(source, networks, cloud, faults)
  const addressable =
    completed.find((item) => item.default.includes('addressable')) ??
    completed.find((item) => item.default.includes('gateway')) ??
    completed[0]
  return { networks: completed, addressable: addressable?.name ?? '' }
}

/** Every AZ of the group needs a subnet of the network; a group without AZs needs subnets without AZs. */
function checkAzs(at: Sourced<{ name: string }>, network: NetworkPlan, group: Group, faults: Faults): void {
  const { name } = at.value
  const served = new Set(network.subnets.flatMap((subnet) => subnet.azs ?? []))
  if (!group.azs) {
    if (served.size > 0) {
      faults.add(at, ['name'], `group "${group.name}" must say its azs: network "${name}" has them`, {
        allowed: [...served].sort().join(', '),
      })
    }
    return
  }
  const missing = group.azs.filter((az) => !served.has(az))
  if (missing.length > 0) {
    faults.add(at, ['name'], `network "${name}" has no subnet in ${missing.join(', ')}`, {
      found: missing.join(', '),
      allowed: served.size > 0 ? [...served].sort().join(', ') : 'its subnets name no azs',
    })
  }
}

function statics(
  at: Sourced<Group['networks'][number]>,
  network: NetworkPlan,
  group: Group,
  faults: Faults,
): GroupNetworkStrategy['static'] {
  const texts = at.value.static_ips
  if (!texts) return null
  const seen = new Set<Ip>()
  const found: { address: string; azs: string[] | null }[] = []
  for (const [index, text] of texts.entries()) {
    const below = ['static_ips', index]
    const interval = parseInterval(text)
    if (!interval || interval[1] - interval[0] >= mostStatics) {
      faults.add(at, below, 'is no address and no range of addresses', {
        found: text,
        allowed: '10.0.0.5 or 10.0.0.5 - 10.0.0.9',
      })
      continue
    }
    for (let ip = interval[0]; ip <= interval[1]; ip++) {
      const address = formatIp(ip)
      if (seen.has(ip)) faults.add(at, below, `address ${address} is there twice`, { found: text })
      seen.add(ip)
      const azs = network.type === 'vip' ? null : subnetAzs(ip, { at, below }, { network, group }, faults)
      found.push({ address, azs: azs ?? null })
    }
  }
  if (found.length !== group.instances) {
    faults.add(
      at,
      ['static_ips'],
      `group "${group.name}" has ${group.instances} instances, so it needs as many static addresses`,
      {
        found: String(found.length),
        allowed: String(group.instances),
      },
    )
  }
  return found
}

/** The AZs a static address may serve; undefined after a fault. */
function subnetAzs(
  ip: Ip,
  { at, below }: { at: Sourced<{ name: string }>; below: (string | number)[] },
  { network, group }: { network: NetworkPlan; group: Group },
  faults: Faults,
): string[] | null | undefined {
  const { name } = at.value
  const found = formatIp(ip)
  const subnet = network.subnets.find(({ range }) => ip >= range[0] && ip <= range[1])
  if (!subnet) {
    faults.add(at, below, `address lies in no subnet of network "${name}"`, {
      found,
      allowed: network.subnets.map(({ range }) => `${formatIp(range[0])} - ${formatIp(range[1])}`).join(', '),
    })
    return undefined
  }
  if (!find(subnet.static, ip)) {
    const reserved = find(subnet.blocked, ip) !== undefined
    faults.add(at, below, `address is ${reserved ? 'reserved' : 'not static'} in network "${name}"`, {
      found,
      allowed:
        subnet.static.map(([a, b]) => (a === b ? formatIp(a) : `${formatIp(a)} - ${formatIp(b)}`)).join(', ') ||
        'its subnet has no static addresses',
    })
    return undefined
  }
  if (!group.azs || subnet.azs === null) return null
  const shared = subnet.azs.filter((az) => group.azs?.includes(az))
  if (shared.length === 0) {
    faults.add(
      at,
      below,
      `address lies in a subnet of ${subnet.azs.join(', ')}, where group "${group.name}" has no instances`,
      {
        found,
        allowed: group.azs.join(', '),
      },
    )
    return undefined
  }
  return shared
}

/** With several networks, one gives the gateway and one the name servers; with one, it gives both. */
function withDefaults(
  source: Sourced<Group>,
  networks: readonly GroupNetworkStrategy[],
  cloud: Cloud,
  faults: Faults,
): GroupNetworkStrategy[] {
  const added = new Map<GroupNetworkStrategy, GroupNetworkStrategy['default']>()
  for (const what of ['dns', 'gateway', 'addressable'] as const) {
    const chosen = networks.filter((network) => network.default.includes(what))
    if (chosen.length > 1) {
      faults.add(source, ['networks'], `only one network may be the default for ${what}`, {
        found: chosen.map((item) => item.name).join(', '),
      })
    }
    if (chosen.length > 0 || what === 'addressable') continue
    const able = networks.filter((network) => cloud.networks.get(network.name)?.value.type !== 'vip')
    const [only] = able
    if (only && able.length === 1) added.set(only, [...(added.get(only) ?? []), what])
    else if (able.length > 1) {
      faults.add(source, ['networks'], `several networks: one must be the default for ${what}`, {
        allowed: `default: [${what}] at one of ${able.map((item) => item.name).join(', ')}`,
      })
    }
  }
  return networks.map((network) => ({ ...network, default: [...network.default, ...(added.get(network) ?? [])] }))
}
