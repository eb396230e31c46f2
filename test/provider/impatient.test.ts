import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { impatient } from '../../shared/provider/impatient.ts'
import { machineForEachTest } from './machine.ts'
import { fence, type Place } from './place.ts'

let place: Place
machineForEachTest((on) => {
  place = on.place
})

const signal = async (name: NodeJS.Signals) => {
  const text = await readFile(`${place.provider.directory}/vms/w/pid`, 'utf8')
  process.kill(Number(text.split(' ')[0]), name)
}

test('a machine that is doubted and silent is given up sooner than any other, and one that answers is reached', async () => {
  const doubting = impatient(place.provider, new Set(['w']), 300)
  const connection = await doubting.connect('w', null)
  expect((await connection.exec(['echo', 'well'])).stdout).toBe('well\n')
  connection.close()
  await signal('SIGSTOP')
  const patient = place.provider.connect('w', null).catch((error) => error)
  const first = await Promise.race([
    patient.then(() => 'patient'),
    doubting.connect('w', null).catch(({ code, message }) => `${code}: ${message}`),
  ])
  expect(first).toBe('infrastructure: VM w does not answer')
  await signal('SIGCONT')
  await patient
})

test('all else of the provider is as it was', async () => {
  const doubting = impatient(place.provider, new Set(['other']), 1)
  expect((await doubting.listVms()).map(({ id }) => id)).toEqual(['w'])
  const connection = await doubting.connect('w', null)
  expect(await connection.status()).toEqual([])
  connection.close()
  expect(impatient(place.provider, new Set())).toBe(place.provider)
  await doubting.deleteVm('w', fence(2))
  expect(await place.provider.listVms()).toEqual([])
})
