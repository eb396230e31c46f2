import { find, merge } from '../network/intervals.ts'
import { formatInterval, formatIp, type Interval, type Ip, parseBlock, parseInterval, parseIp } from '../network/ip.ts'
import type { Network, Subnet } from '../schema/cloud-config.ts'
import type { NetworkStrategy } from '../strategy.ts'
import type { Faults, Sourced } from './faults.ts'

/** A network with its addresses as numbers. */
export interface NetworkPlan {
  type: Network['type']
  space?: string
  /** All AZs that some subnet serves. */
  azs: string[]
  /** Of manual networks only. */
  subnets: SubnetPlan[]
}

export interface SubnetPlan {
  azs: string[] | null
  space?: string
  range: Interval
  blocked: Interval[]
  static: Interval[]
}

/**
 * Reads and checks one network of a cloud config (bosh.md 3.4; `DP/manual_network_subnet.rb` for the rules on ranges).
 */
export function readNetwork(network: Sourced<Network>, azs: readonly string[], faults: Faults): NetworkPlan {
  const { type, subnets = [] } = network.value
  const plans: SubnetPlan[] = []
  const all = new Set<string>()
  if (type === 'manual' && subnets.length === 0)
    faults.add(network, ['subnets'], 'a manual network needs at least one subnet')
  for (const [index, subnet] of subnets.entries()) {
    const at = { ...network, path: [...network.path, 'subnets', index] }
    const served = readAzs(subnet, at, azs, faults)
    for (const az of served ?? []) all.add(az)
    if (type !== 'manual') continue
    const plan = readSubnet(subnet, at, faults)
    if (!plan) continue
    for (const [other, earlier] of plans.entries()) {
      if (plan.range[0] <= earlier.range[1] && earlier.range[0] <= plan.range[1]) {
        faults.add(at, ['range'], `this range overlaps with that of subnet ${other} of the same network`, {
          found: subnet.range ?? '',
        })
      }
    }
    plans.push({ ...plan, ...spaceIn(subnet.cloud_properties), azs: served })
  }
  const withAzs = subnets.filter((subnet) => subnet.az !== undefined || subnet.azs !== undefined).length
  if (withAzs > 0 && withAzs < subnets.length) {
    faults.add(network, ['subnets'], 'either all subnets of a network name their azs, or none does')
  }
  return { type, ...spaceIn(network.value.cloud_properties), azs: [...all].sort(), subnets: plans }
}

/** The name that the cloud has for a network. */
function spaceIn({ name }: Record<string, unknown>): { space?: string } {
  return typeof name === 'string' && name !== '' ? { space: name } : {}
}

function readAzs(subnet: Subnet, at: Sourced<unknown>, azs: readonly string[], faults: Faults): string[] | null {
  if (subnet.az !== undefined && subnet.azs !== undefined)
    faults.add(at, ['azs'], 'a subnet has either az or azs, not both')
  if (subnet.az !== undefined && !azs.includes(subnet.az))
    faults.unknown(at, ['az'], { what: 'az', name: subnet.az, valid: azs })
  for (const [index, az] of (subnet.azs ?? []).entries()) {
    if (!azs.includes(az)) faults.unknown(at, ['azs', index], { what: 'az', name: az, valid: azs })
  }
  return subnet.azs ?? (subnet.az === undefined ? null : [subnet.az])
}

function readSubnet(subnet: Subnet, at: Sourced<unknown>, faults: Faults): Omit<SubnetPlan, 'azs'> | null {
  if (subnet.range === undefined) {
    faults.add(at, ['range'], 'is missing: a subnet of a manual network needs its range')
    return null
  }
  const block = parseBlock(subnet.range)
  if (!block) {
    faults.add(at, ['range'], 'is no address block', { found: subnet.range, allowed: 'a block like 10.0.0.0/24' })
    return null
  }
  const [first, last] = block.interval
  const blocked: Interval[] = []
  // A block of one or two addresses has no network id and no broadcast address to keep free.
  const hasEnds = last - first >= 2n
  if (hasEnds) blocked.push([first, first])
  if (hasEnds && block.family === 4) blocked.push([last, last])
  const ends = merge(blocked)

  const gateway =
    subnet.gateway === undefined ? null : readGateway(subnet.gateway, at, { range: block.interval, ends }, faults)
  if (gateway !== null) blocked.push([gateway, gateway])

  const reserved = readIntervals(subnet, 'reserved', { at, range: block.interval }, faults)
  blocked.push(...reserved.map((item) => item.interval))
  const blockedMerged = merge(blocked)

  const statics = readIntervals(subnet, 'static', { at, range: block.interval }, faults)
  for (const { interval, path } of statics) {
    const clash = blockedMerged.find((other) => interval[0] <= other[1] && other[0] <= interval[1])
    if (clash) {
      faults.add(at, path, 'static addresses must not be reserved, the gateway, or an end of the range', {
        found: formatInterval(interval),
        allowed: `none of ${formatInterval(clash)}`,
      })
    }
  }
  return { range: block.interval, blocked: blockedMerged, static: merge(statics.map((item) => item.interval)) }
}

function readGateway(
  text: string,
  at: Sourced<unknown>,
  { range, ends }: { range: Interval; ends: readonly Interval[] },
  faults: Faults,
): Ip | null {
  const gateway = parseIp(text.trim())
  if (gateway === null) faults.add(at, ['gateway'], 'is no single address', { found: text })
  else if (gateway < range[0] || gateway > range[1]) {
    faults.add(at, ['gateway'], 'lies outside the range of its subnet', { found: text, allowed: formatInterval(range) })
  } else if (find(ends, gateway)) {
    faults.add(at, ['gateway'], 'must not be the first or the last address of the range', { found: text })
  }
  return gateway
}

function readIntervals(
  subnet: Subnet,
  key: 'reserved' | 'static',
  { at, range }: { at: Sourced<unknown>; range: Interval },
  faults: Faults,
): { interval: Interval; path: (string | number)[] }[] {
  const given = subnet[key]
  const texts = given === undefined ? [] : typeof given === 'string' ? [given] : given
  return texts.flatMap((text, index) => {
    const path = typeof given === 'string' ? [key] : [key, index]
    const interval = parseInterval(text)
    if (!interval) {
      faults.add(at, path, 'is no address and no range of addresses', {
        found: text,
        allowed: '10.0.0.5, 10.0.0.5 - 10.0.0.9, or a block',
      })
      return []
    }
    if (interval[0] < range[0] || interval[1] > range[1]) {
      faults.add(at, path, 'lies outside the range of its subnet', { found: text, allowed: formatInterval(range) })
      return []
    }
    return [{ interval, path }]
  })
}

/** The same as JSON, for the foreman. */
export function networkStrategy(plan: NetworkPlan): NetworkStrategy {
  const pairs = (intervals: Interval[]) => intervals.map(([a, b]): [string, string] => [formatIp(a), formatIp(b)])
  return {
    type: plan.type === 'vip' ? 'vip' : 'manual',
    ...(plan.space === undefined ? {} : { space: plan.space }),
    subnets: plan.subnets.map((subnet) => ({
      azs: subnet.azs,
      first: formatIp(subnet.range[0]),
      last: formatIp(subnet.range[1]),
      blocked: pairs(subnet.blocked),
      static: pairs(subnet.static),
      ...(subnet.space === undefined ? {} : { space: subnet.space }),
    })),
  }
}
