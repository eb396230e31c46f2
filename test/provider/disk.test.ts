import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readEffects } from '../../shared/provider/local/index.ts'
import { settledStamp } from '../../shared/provider/local/settled-folder.ts'
import { fence, Place, until } from './place.ts'

let place: Place
beforeEach(async () => {
  place = await Place.make()
  for (const id of ['a', 'b']) await place.provider.createVm(place.request(id), fence(1))
  await place.provider.createDisk(
    { id: 'd', sizeMiB: 10, ownership: { owner: 'deployment/test', purpose: 'p' } },
    fence(1),
  )
})
afterEach(() => place.leave())

async function run(vm: string, script: string): Promise<string> {
  const machine = await place.provider.connect(vm, null)
  const { stdout, stderr } = await machine.exec(['sh', '-c', script])
  machine.close()
  return stdout + stderr
}

describe('a persistent disk', () => {
  it('is mounted into a running VM and goes with its data from one VM to another', async () => {
    const { provider } = place
    await provider.attachDisk('a', 'd', fence(1))
    expect(await run('a', 'echo precious > /var/vcap/store/file; mountpoint /var/vcap/store')).toContain(
      'is a mountpoint',
    )
    expect(await provider.findVm('a')).toMatchObject({ disks: ['d'] })
    await provider.detachDisk('a', 'd', fence(1))
    expect(await run('a', 'ls /var/vcap/store; grep -c vcap/store /proc/mounts')).toBe('0\n')
    await provider.attachDisk('b', 'd', fence(1))
    expect(await run('b', 'cat /var/vcap/store/file')).toBe('precious\n')
    expect(await provider.listDisks({ owner: 'deployment/test' })).toMatchObject([{ id: 'd', sizeMiB: 10, vm: 'b' }])
    expect(await provider.findDisk('d')).toMatchObject({ id: 'd', sizeMiB: 10, vm: 'b' })
    expect(await provider.findDisk('none')).toBe(undefined)
    expect((await readEffects(place.directory)).slice(2).map((line) => [line.effect, line.id, line.vm])).toEqual([
      ['create_disk', 'd', undefined],
      ['attach_disk', 'd', 'a'],
      ['detach_disk', 'd', 'a'],
      ['attach_disk', 'd', 'b'],
    ])
  })

  it('attached, detached, created or deleted twice is the same as once', async () => {
    const { provider } = place
    for (let i = 0; i < 2; i++) await provider.attachDisk('a', 'd', fence(1))
    for (let i = 0; i < 2; i++) await provider.detachDisk('a', 'd', fence(1))
    for (let i = 0; i < 2; i++)
      await provider.createDisk({ id: 'e', sizeMiB: 1, ownership: { owner: 'x', purpose: 'p' } }, fence(1))
    for (let i = 0; i < 2; i++) await provider.deleteDisk('e', fence(1))
    const effects = (await readEffects(place.directory)).slice(3).map((line) => line.effect)
    expect(effects).toEqual(['attach_disk', 'detach_disk', 'create_disk', 'delete_disk'])
  })

  it('attached to one VM is refused to another, and is not deleted', async () => {
    const { provider } = place
    await provider.attachDisk('a', 'd', fence(1))
    await expect(provider.attachDisk('b', 'd', fence(1))).rejects.toMatchObject({ code: 'conflict' })
    await expect(provider.deleteDisk('d', fence(1))).rejects.toMatchObject({ code: 'conflict' })
    await provider.createDisk({ id: 'e', sizeMiB: 1, ownership: { owner: 'x', purpose: 'p' } }, fence(1))
    await expect(provider.attachDisk('a', 'e', fence(1))).rejects.toMatchObject({ code: 'conflict' })
    expect(await provider.listDisks()).toMatchObject([{ vm: 'a' }, { id: 'e' }])
    expect((await provider.listDisks())[1]).not.toHaveProperty('vm')
    await expect(provider.attachDisk('a', 'none', fence(1))).rejects.toMatchObject({ code: 'not-found' })
    await expect(provider.attachDisk('none', 'e', fence(1))).rejects.toMatchObject({ code: 'not-found' })
  })

  it('of another owner than its VM is refused, and nothing is attached', async () => {
    const { provider } = place
    await provider.createDisk({ id: 'e', sizeMiB: 1, ownership: { owner: 'deployment/x', purpose: 'p' } }, fence(1))
    await expect(provider.attachDisk('a', 'e', fence(1))).rejects.toMatchObject({
      code: 'conflict',
      message: 'disk e and VM a belong to different owners',
    })
    expect(await provider.findVm('a')).toMatchObject({ disks: [] })
    expect(await run('a', 'grep -c vcap/store /proc/mounts')).toBe('0\n')
  })

  it('that is left half deleted and made for another owner is listed as that one has it, whatever was known', async () => {
    const { provider } = place
    const listed = async (owner: string) => (await provider.listDisks({ owner })).map(({ id }) => id)
    await until(async () => settledStamp(join(place.directory, 'disks')) !== undefined)
    for (let i = 0; i < 2; i++) expect(await listed('deployment/x')).toEqual([])
    // As a deletion leaves it that ended before its last step.
    rmSync(join(place.directory, 'disks/d/data'), { recursive: true })
    await provider.createDisk({ id: 'd', sizeMiB: 1, ownership: { owner: 'deployment/x', purpose: 'p' } }, fence(2))
    expect([await listed('deployment/x'), await listed('deployment/test')]).toEqual([['d'], []])
  })

  it('is never torn from a process that still writes to it', { timeout: 15_000 }, async () => {
    const { provider } = place
    await provider.attachDisk('a', 'd', fence(1))
    await run('a', 'exec 3> /var/vcap/store/open; setsid sleep 1000 > /dev/null 2>&1 & echo $! > /tmp/pid')
    await expect(provider.detachDisk('a', 'd', fence(1))).rejects.toMatchObject({ code: 'infrastructure' })
    expect(await provider.listDisks()).toMatchObject([{ vm: 'a' }])
    await run('a', 'kill -9 $(cat /tmp/pid)')
    await provider.detachDisk('a', 'd', fence(1))
  })

  it('survives its VM, deleted, dead or made anew under the same id', async () => {
    const { provider } = place
    await provider.attachDisk('a', 'd', fence(1))
    await run('a', 'echo precious > /var/vcap/store/file')
    await provider.deleteVm('a', fence(1))
    expect((await provider.listDisks())[0]).not.toHaveProperty('vm')
    await provider.createVm(place.request('a'), fence(1))
    expect((await provider.listDisks())[0]).not.toHaveProperty('vm')
    expect(await run('a', 'ls /var/vcap/store')).toBe('')
    await provider.attachDisk('a', 'd', fence(1))
    process.kill(Number(readFileSync(join(place.directory, 'vms/a/pid'), 'utf8').split(' ')[0]), 'SIGKILL')
    await until(async () => (await provider.findVm('a'))?.state === 'dead')
    await expect(provider.attachDisk('b', 'd', fence(1))).rejects.toMatchObject({ code: 'conflict' })
    await provider.detachDisk('a', 'd', fence(1))
    await provider.attachDisk('b', 'd', fence(1))
    expect(await run('b', 'cat /var/vcap/store/file')).toBe('precious\n')
  })

  it('grows with what is on it, and never shrinks', async () => {
    const { provider } = place
    await provider.attachDisk('a', 'd', fence(1))
    await run('a', 'echo precious > /var/vcap/store/file')
    await provider.resizeDisk('d', 20, fence(2))
    expect(await provider.listDisks()).toMatchObject([{ id: 'd', sizeMiB: 20, vm: 'a' }])
    expect(await run('a', 'cat /var/vcap/store/file')).toBe('precious\n')
    await expect(provider.resizeDisk('d', 10, fence(2))).rejects.toMatchObject({ code: 'invalid-input' })
    await expect(provider.resizeDisk('d', 30, fence(1))).rejects.toMatchObject({ code: 'superseded' })
  })

  it('of others cannot be reached from inside a VM', async () => {
    await place.provider.attachDisk('a', 'd', fence(1))
    await run('a', 'echo precious > /var/vcap/store/file')
    expect(await run('b', `cat ${place.directory}/disks/d/data/file 2>&1`)).not.toContain('precious')
    expect(await run('b', 'ls /run')).toBe('lock\n')
  })
})
