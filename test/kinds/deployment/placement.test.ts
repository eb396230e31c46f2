import { describe, expect, test } from 'vitest'
import { formatIp, parseInterval } from '../../../kinds/deployment/plan/network/ip.ts'
import { type Existing, place, type Wanted } from '../../../kinds/deployment/plan/placement.ts'
import { readCases } from '../../support/cases.ts'

/** BOSH's own cases of placement; the schema is in the README beside them. */
const placements = readCases('bosh/placement.json')

interface Case {
  id: string
  area: string
  feed: string
  when: string
  given: {
    desired?: { group: string; count: number; azs: string[] | null }
    manifest: {
      instance_groups: {
        persistent_disk?: number
        networks: { name: string; static_ips?: string[]; nic_group?: unknown }[]
      }[]
    }
    cloud_config: { networks: { name: string; subnets?: { range: string; az?: string; azs?: string[] }[] }[] }
    floorplan?: {
      instances: {
        id: string
        group: string
        index: number
        az: string | null
        ignored: boolean
        disks: unknown[]
        addresses: { network: string; ip: string }[]
      }[]
    }
  }
  expect: {
    keep?: Record<string, string | null | { az: string | null; ips?: Record<string, string> }>
    obsolete?: string[]
    new?: (string | null | { az: string | null })[]
    az_counts?: Record<string, number>
    indexes?: Record<string, number>
    new_indexes?: number[]
    error?: { reason?: string }
  }
}

function cases(): Case[] {
  const all = JSON.parse(placements ?? '[]') as Case[]
  return all.filter(
    ({ area, feed, given }) =>
      feed === 'plan' &&
      ['placement-az', 'placement-static', 'balancer', 'index'].includes(area) &&
      given.desired &&
      // Ignored instances, NIC groups and renamed groups are not known here yet.
      !given.floorplan?.instances.some((one) => one.ignored || one.group !== given.desired?.group) &&
      !given.manifest.instance_groups[0]?.networks.some((network) => network.nic_group !== undefined),
  )
}

function wantedOf({ given }: Case): Wanted {
  const statics = (given.manifest.instance_groups[0]?.networks ?? []).flatMap((network) => {
    if (!network.static_ips) return []
    const subnets = given.cloud_config.networks.find((one) => one.name === network.name)?.subnets ?? []
    const addresses = network.static_ips.flatMap((text) => {
      const [first, last] = parseInterval(text) ?? [1n, 0n]
      const found: { address: string; azs: string[] | null }[] = []
      for (let ip = first; ip <= last; ip++) {
        const subnet = subnets.find(({ range }) => {
          const block = parseInterval(range)
          return block && ip >= block[0] && ip <= block[1]
        })
        const served = subnet?.azs ?? (subnet?.az === undefined ? null : [subnet.az])
        found.push({
          address: formatIp(ip),
          azs: served && given.desired?.azs ? served.filter((az) => given.desired?.azs?.includes(az)) : null,
        })
      }
      return found
    })
    return [{ network: network.name, addresses }]
  })
  return { count: given.desired?.count ?? 0, azs: given.desired?.azs ?? null, statics }
}

describe.skipIf(placements === null)('instances stand where BOSH would put them', () => {
  test.each(cases().filter((one) => !one.expect.error))('$id: $when', (one) => {
    const existing = one.given.floorplan?.instances ?? []
    const wanted = wantedOf(one)
    const result = place(
      wanted,
      existing.map(
        (instance): Existing => ({
          index: instance.index,
          az: instance.az,
          pinned: instance.disks.length > 0,
          addresses: Object.fromEntries(instance.addresses.map(({ network, ip }) => [network, ip])),
        }),
      ),
    )
    const nameOf = new Map(existing.map((instance) => [instance.index, instance.id]))
    const kept = result.placed.filter((slot) => !slot.isNew)
    const made = result.placed.filter((slot) => slot.isNew)
    expect(result.fault).toBeNull()
    if (one.expect.obsolete)
      expect(result.obsolete.map((index) => nameOf.get(index)).sort()).toEqual([...one.expect.obsolete].sort())
    if (one.expect.keep) {
      expect(Object.fromEntries(kept.map((slot) => [nameOf.get(slot.index), slot.az]))).toEqual(
        Object.fromEntries(Object.entries(one.expect.keep).map(([id, at]) => [id, azOf(at)])),
      )
      for (const [id, at] of Object.entries(one.expect.keep)) {
        if (at === null || typeof at === 'string') continue
        const slot = kept.find((candidate) => nameOf.get(candidate.index) === id)
        for (const [network, ip] of Object.entries(at.ips ?? {}))
          if (typeof ip === 'string') expect(slot?.statics[network]).toBe(ip)
      }
    }
    if (one.expect.new) expect(made.map((slot) => slot.az).sort()).toEqual(one.expect.new.map(azOf).sort())
    if (one.expect.new_indexes) expect(made.map((slot) => slot.index)).toEqual(one.expect.new_indexes)
    if (one.expect.az_counts) {
      expect(
        Object.fromEntries(
          [...Map.groupBy(result.placed, (slot) => slot.az ?? 'none')].map(([az, all]) => [az, all.length]),
        ),
      ).toEqual(one.expect.az_counts)
    }
  })
})

const azOf = (at: string | null | { az: string | null }) => (at !== null && typeof at === 'object' ? at.az : at)

test('when disks leave, the highest index of the fullest AZ goes first', () => {
  const existing = ['z1', 'z1', 'z2', 'z1'].map((az, index): Existing => ({ index, az, pinned: true, addresses: {} }))
  expect(place({ count: 2, azs: ['z1', 'z2'], statics: [] }, existing).obsolete).toEqual([1, 3])
})

/** How often a placement reads one of so many instances, on average. */
function readsOfEach(count: number): number {
  let reads = 0
  const counted: ProxyHandler<Existing> = {
    get(instance, key) {
      reads += 1
      return Reflect.get(instance, key)
    },
  }
  const existing = Array.from(
    { length: count },
    (_, index) => new Proxy({ index, az: `z${index % 3}`, pinned: index % 2 === 0, addresses: {} }, counted),
  )
  const wanted = { count: count / 2, azs: ['z0', 'z1', 'z2'], statics: [] }
  expect(place(wanted, existing).obsolete).toHaveLength(count / 2)
  return reads / count
}

test('a placement reads each of ten thousand instances as often as each of one hundred', () => {
  expect(readsOfEach(10_000)).toBeLessThan(2 * readsOfEach(100))
})
