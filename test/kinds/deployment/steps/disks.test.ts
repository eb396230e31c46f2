import { afterEach, beforeEach, expect, test } from 'vitest'
import attachDisk from '../../../../kinds/deployment/steps/attach-disk.ts'
import createDisk from '../../../../kinds/deployment/steps/create-disk.ts'
import deleteDisk from '../../../../kinds/deployment/steps/delete-disk.ts'
import { fence, Place } from '../../../provider/place.ts'
import { attempt } from './attempt.ts'

let place: Place
const material = 'disk/db/0'
const parts = (number: number) => ({ provider: place.provider, material, fence: fence(number) })
const wanted = { cid: 'data', deployment: 'test', disk: { sizeMiB: 64, type: null } }

beforeEach(async () => {
  place = await Place.make()
  for (const id of ['old', 'new']) await place.provider.createVm(place.request(id), fence(1, `vm/${id}`))
})
afterEach(() => place.leave())

async function run(vm: string, script: string): Promise<string> {
  const machine = await place.provider.connect(vm, null)
  try {
    return (await machine.exec(['sh', '-c', script])).stdout
  } finally {
    machine.close()
  }
}

test('a disk that is moved to another machine has its data there, also where it is made and attached again', async () => {
  const made = await attempt(createDisk, parts(1), wanted)
  expect(made.floorplan).toEqual({ [material]: { attributes: wanted.disk, needs: [], meta: { cid: 'data' } } })
  await attempt(attachDisk, parts(2), { vm: 'old', disk: 'data' })
  await run('old', 'echo precious > /var/vcap/store/file')
  await attempt(attachDisk, parts(3), { vm: 'new', disk: 'data' })
  expect(await run('new', 'cat /var/vcap/store/file')).toBe('precious\n')
  expect(await attempt(createDisk, parts(4), wanted)).toEqual(made)
  await attempt(attachDisk, parts(5), { vm: 'new', disk: 'data' })
  expect(await run('new', 'cat /var/vcap/store/file')).toBe('precious\n')
})

test('an attempt that another one has overtaken moves no disk', async () => {
  await attempt(createDisk, parts(1), wanted)
  await attempt(attachDisk, parts(3), { vm: 'old', disk: 'data' })
  await expect(attempt(attachDisk, parts(2), { vm: 'new', disk: 'data' })).rejects.toMatchObject({ code: 'superseded' })
  expect((await place.provider.findDisk('data'))?.vm).toBe('old')
})

test('a disk that is lost is never attached as an empty one', async () => {
  await expect(attempt(attachDisk, parts(1), { vm: 'new', disk: 'data' })).rejects.toMatchObject({
    code: 'infrastructure',
    message: 'the disk data does not exist',
  })
  expect(await place.provider.listDisks()).toEqual([])
})

test('a disk that is deleted leaves its machine first, and is deleted once however often that is tried', async () => {
  await attempt(createDisk, parts(1), wanted)
  await attempt(attachDisk, parts(2), { vm: 'old', disk: 'data' })
  for (const number of [3, 4])
    expect(await attempt(deleteDisk, parts(number), { cid: 'data' })).toEqual({ floorplan: { [material]: null } })
  expect(await place.provider.listDisks()).toEqual([])
  expect((await place.provider.findVm('old'))?.disks).toEqual([])
})
