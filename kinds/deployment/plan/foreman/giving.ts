import type { Fault } from '../../../../shared/runtime/errors.ts'
import type { AddressBook } from '../addresses.ts'
import { instanceName } from '../names.ts'
import type { GroupStrategy } from '../strategy.ts'
import { faultAt } from './fault.ts'
import type { Draft } from './machine.ts'

/** Instances of one group that a network has no address for, in one AZ. */
export interface Lack {
  group: GroupStrategy
  network: string
  az: string | null
  instances: string[]
}

export function lackFault({ group, network, az, instances }: Lack, book: AddressBook): Fault {
  const where = az === null ? '' : ` in ${az}`
  const who =
    instances.length === 1 ? instances[0] : `${instances.length} instances, the first of which is ${instances[0]}`
  return faultAt(group.place, `network "${network}" has no free address${where} for ${who}`, {
    found: book.counts(network, az),
  })
}

/** Gives addresses to whoever has none yet: a second set for a hot swap, else what is missing. */
export function giveAddresses(draft: Draft, book: AddressBook, notes: string[], lacking: Map<string, Lack>): void {
  const { group, slot } = draft
  if (draft.how === 'swap' && !draft.adopted) {
    const given = group.networks.map((network) => book.give(network.name, slot.az, true))
    if (given.every((address) => address !== null)) {
      draft.addresses = given
      return
    }
    draft.how = 'recreate'
    draft.addresses = draft.kept
    notes.push(
      `${instanceName(group.name, slot.index)} is deleted before it is made anew: there is no second address for a hot swap`,
    )
  }
  draft.addresses = draft.addresses.map((address, place) => {
    const network = group.networks[place]!
    const given = address ?? book.give(network.name, slot.az, false)
    if (given === null) {
      const key = JSON.stringify([group.name, network.name, slot.az])
      const lack = lacking.get(key) ?? { group, network: network.name, az: slot.az, instances: [] }
      lack.instances.push(instanceName(group.name, slot.index))
      lacking.set(key, lack)
    }
    return given
  })
}
