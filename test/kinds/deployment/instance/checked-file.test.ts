import { afterAll, beforeAll, expect, test } from 'vitest'
import { processesOf } from '../../../../kinds/deployment/instance/processes.ts'
import type { Connection } from '../../../../shared/provider/connection.ts'
import { fence, Place } from '../../../provider/place.ts'

let place: Place
let machine: Connection
const generous = { timeout: 50_000, interval: 100 }
beforeAll(async () => {
  place = await Place.make()
  await place.provider.createVm(place.request('w'), fence(1))
  machine = await place.provider.connect('w', fence(1))
})
afterAll(async () => {
  machine?.close()
  await place?.leave()
})

const shell = async (script: string) => (await machine.exec(['sh', '-c', script])).stdout.trim()
const state = async () => (await machine.status()).map((one) => one.state)

test('a file with a start program is made when its job starts, made again when it goes, and stopped with its stop program', async () => {
  await machine.write(
    '/var/vcap/jobs/routes/monit',
    `check file routes with path /var/vcap/sys/run/routes
  start program "/bin/sh -c 'echo begun >> /var/vcap/data/said; touch /var/vcap/sys/run/routes'"
  stop program "/bin/sh -c 'echo ended >> /var/vcap/data/said; rm /var/vcap/sys/run/routes'"
`,
  )
  await machine.supervise(await processesOf(machine, ['routes']))
  await machine.start()
  await expect.poll(state, generous).toEqual(['running'])
  await shell('rm /var/vcap/sys/run/routes')
  await expect.poll(() => shell('cat /var/vcap/data/said'), generous).toBe('begun\nbegun')
  await expect.poll(state, generous).toEqual(['running'])
  expect(await machine.stop(50_000)).toBe('ended')
  expect(await shell('cat /var/vcap/data/said; ls /var/vcap/sys/run')).toBe('begun\nbegun\nended')
})
