import type { ActualMaterial, Blueprint } from '../../../shared/model/material.ts'
import type { ExclusiveName, Reservation, Space } from '../../../shared/model/reservation.ts'
import type { VmAttributes } from '../inputs.ts'
import { parseIp } from './network/ip.ts'
import type { NetworkStrategy, Strategy } from './strategy.ts'

/**
 * Addresses are exclusive within one network of the cloud. Which one that is says `cloud_properties.name`; without it,
 * it is the one network that all machines of a site share. The names that cloud configs give to networks decide
 * nothing: two names may well mean one network.
 */
export function addressIn(space: string | undefined, address: string): ExclusiveName {
  return { type: 'address', scope: space ?? '', name: address }
}

export function spaces({ strategy: { networks } }: Blueprint<Strategy>): Space[] {
  const scopes = Object.values(networks).flatMap(({ space, subnets }) => [
    space ?? '',
    ...subnets.map((subnet) => subnet.space ?? ''),
  ])
  return [...new Set(scopes)].map((scope) => ({ type: 'address', scope }))
}

/** Of machines, and of instances too: one whose machine is gone comes back with the address it had. */
export function holdings(materials: readonly ActualMaterial[]): Reservation[] {
  return materials.flatMap(({ id, attributes }) => {
    const { networks } = attributes as Partial<VmAttributes>
    return (networks ?? []).map(({ space, address }) => ({ ...addressIn(space, address), material: id }))
  })
}

/** The space that an address of a network lies in; undefined is the one that all share. */
export function spaceOf(network: NetworkStrategy | undefined, address: string): string | undefined {
  const ip = parseIp(address)
  const within = network?.subnets.find(({ first, last }) => {
    const [low, high] = [parseIp(first), parseIp(last)]
    return ip !== null && low !== null && high !== null && low <= ip && ip <= high
  })
  return within?.space ?? network?.space
}
