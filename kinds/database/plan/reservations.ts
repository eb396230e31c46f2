import { z } from 'zod'
import { type Material, materialType } from '../../../shared/model/material.ts'
import type { ExclusiveName, Reservation, ReservedNames, Space } from '../../../shared/model/reservation.ts'
import type { Fault } from '../../../shared/runtime/errors.ts'
import { invalidInput } from '../../../shared/source/document.ts'
import type { Strategy } from './strategy.ts'

/** Of a host and of a server, as far as they are recorded. */
const Reached = z.object({ address: z.string().optional(), port: z.number().optional() })

/** Hosts lie in the one network that all machines of a site share. */
const addressOf = (address: string): ExclusiveName => ({ type: 'address', scope: '', name: address })
const portOf = (address: string, port: number): ExclusiveName => ({ type: 'port', scope: address, name: String(port) })

export function spaces(): Space[] {
  return [{ type: 'address', scope: '' }]
}

/** The address of every host, and the port of every server on it. */
export function holdings(materials: readonly Pick<Material, 'id' | 'attributes'>[]): Reservation[] {
  return materials.flatMap(({ id, attributes }): Reservation[] => {
    const type = materialType(id)
    const { address, port } = Reached.parse(attributes)
    if (type === 'host' && address) return [{ ...addressOf(address), material: id }]
    if (type === 'instance' && address && port) return [{ ...portOf(address, port), material: id }]
    return []
  })
}

/** Throws `invalid-input` where a node is to stand on a host whose address another deployment holds. */
export function refuseReserved(strategy: Strategy, reserved: ReservedNames): void {
  const faults = strategy.nodes.flatMap(({ instances }, node) =>
    (instances ?? []).flatMap(({ host_id, instance }, at): Fault[] => {
      const address = String(instance.attributes.address)
      const holder = reserved.holderOf(addressOf(address))
      if (holder === undefined) return []
      const message = `host ${host_id} has the address ${address}, which is held by deployment ${holder}`
      return [{ path: `nodes[${node}].host_ids[${at}]`, message }]
    }),
  )
  if (faults.length > 0) throw invalidInput(faults)
}
