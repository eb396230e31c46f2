import { afterEach, beforeEach } from 'vitest'
import type { Connection } from '../../shared/provider/connection.ts'
import { fence, Place } from './place.ts'

/** Gives each test of a file the machine `w`, in a place of its own; both are taken away behind it. */
export function machineForEachTest(give: (on: { place: Place; machine: Connection }) => void): void {
  let place: Place
  let machine: Connection | undefined
  beforeEach(async () => {
    place = await Place.make()
    await place.provider.createVm(place.request('w'), fence(1))
    machine = await place.provider.connect('w', fence(1))
    give({ place, machine })
  })
  afterEach(async () => {
    machine?.close()
    await place.leave()
  })
}
