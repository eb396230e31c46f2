import { statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readEffects } from '../../shared/provider/local/index.ts'
import { fence, Place } from './place.ts'

let place: Place
beforeEach(async () => {
  place = await Place.make()
})
afterEach(() => place.leave())

const superseded = { code: 'superseded' }

describe('a fence', () => {
  it('smaller than the largest seen is refused by the provider before anything changes', async () => {
    const { provider } = place
    await provider.createVm(place.request('w'), fence(5))
    await expect(provider.deleteVm('w', fence(4))).rejects.toMatchObject(superseded)
    await expect(provider.createVm(place.request('w'), fence(4))).rejects.toMatchObject(superseded)
    await provider.createDisk({ id: 'd', sizeMiB: 1, ownership: { owner: 'x', purpose: 'y' } }, fence(5))
    await expect(provider.attachDisk('w', 'd', fence(4))).rejects.toMatchObject(superseded)
    await expect(provider.deleteDisk('d', fence(4))).rejects.toMatchObject(superseded)
    expect(await provider.findVm('w')).toMatchObject({ state: 'running', disks: [] })
    expect((await readEffects(place.directory)).map((line) => line.fence)).toEqual([5, 5])
  })

  it('smaller than the largest seen is refused by the machine and nothing is run', async () => {
    await place.provider.createVm(place.request('w'), fence(5))
    const stale = await place.provider.connect('w', fence(5))
    const current = await place.provider.connect('w', fence(6))
    await current.exec(['true'])
    const answers = await Promise.allSettled([
      stale.exec(['touch', '/tmp/mark']),
      stale.write('/tmp/mark', ''),
      stale.unpack('/tmp/mark', Buffer.alloc(1024)),
      stale.supervise([]),
      stale.start(),
      stale.stop(0),
    ])
    expect(answers.map((one) => one.status === 'rejected' && one.reason.code)).toEqual(Array(6).fill('superseded'))
    expect((await current.exec(['ls', '/tmp'])).stdout).toBe('')
    expect(await stale.status()).toEqual([])
    stale.close()
    current.close()
  })

  it('seen by the machine alone still guards the provider, and seen by the provider it guards the machine', async () => {
    const { provider } = place
    await provider.createVm(place.request('w'), fence(1))
    const first = await provider.connect('w', fence(1))
    const third = await provider.connect('w', fence(3))
    await third.exec(['true'])
    await expect(provider.deleteVm('w', fence(2))).rejects.toMatchObject(superseded)
    await provider.createVm(place.request('w'), fence(4))
    await expect(third.exec(['true'])).rejects.toMatchObject(superseded)
    first.close()
    third.close()
  })

  it('outlives the VM: a late createVm of a smaller number cannot bring it back', async () => {
    const { provider } = place
    await provider.createVm(place.request('w'), fence(1))
    const machine = await provider.connect('w', fence(7))
    await machine.exec(['true'])
    machine.close()
    await provider.deleteVm('w', null)
    await expect(provider.createVm(place.request('w'), fence(6))).rejects.toMatchObject(superseded)
    expect(await provider.listVms()).toEqual([])
    await provider.createVm(place.request('w'), fence(7))
  })

  it('of another scope says nothing', async () => {
    await place.provider.createVm(place.request('w'), fence(9, 'instance/web/0'))
    const other = await place.provider.connect('w', fence(1, 'instance/web/00'))
    expect((await other.exec(['true'])).exitCode).toBe(0)
    other.close()
  })

  it('that grows ends what still runs under the smaller number before the new command begins', async () => {
    await place.provider.createVm(place.request('w'), fence(1))
    const old = await place.provider.connect('w', fence(1))
    const bystander = await place.provider.connect('w', fence(1, 'other'))
    const operator = await place.provider.connect('w', null)
    const script =
      'trap "" TERM; setsid sh -c "trap \\"\\" TERM; while :; do date > /tmp/alive; sleep 0.01; done" & wait'
    const running = old.exec(['sh', '-c', script])
    const failure = running.catch((error) => error)
    const beside = bystander.exec(['sleep', '0.5'])
    while ((await operator.exec(['test', '-e', '/tmp/alive'])).exitCode !== 0);
    const fresh = await place.provider.connect('w', fence(2))
    const { stdout } = await fresh.exec(['sh', '-c', 'rm /tmp/alive; sleep 0.1; ls /tmp'])
    expect(stdout).toBe('')
    expect(await failure).toMatchObject(superseded)
    expect((await beside).exitCode).toBe(0)
    for (const connection of [old, bystander, operator, fresh]) connection.close()
  })

  it('is shown by connecting alone: the attempt before it ends, and cannot connect again', async () => {
    await place.provider.createVm(place.request('w'), fence(1))
    const old = await place.provider.connect('w', fence(1))
    const running = old.exec(['sleep', '30']).catch((error) => error)
    const fresh = await place.provider.connect('w', fence(2))
    expect(await running).toMatchObject(superseded)
    await expect(place.provider.connect('w', fence(1))).rejects.toMatchObject(superseded)
    for (const connection of [old, fresh]) connection.close()
  })

  it('is kept through thousands of numbers without a file that grows for ever', { timeout: 60_000 }, async () => {
    await place.provider.createVm(place.request('w'), fence(0))
    const keeper = await place.provider.connect('w', fence(3, 'rare'))
    await keeper.exec(['true'])
    for (let number = 1; number <= 1000; number++) {
      const machine = await place.provider.connect('w', fence(number, 'instance/a-rather-long-name-for-a-scope/0'))
      await machine.supervise([])
      machine.close()
    }
    const { size } = statSync(join(place.directory, 'vms/w/fences'))
    expect(size).toBeLessThan(20_000)
    await expect(place.provider.connect('w', fence(2, 'rare'))).rejects.toMatchObject(superseded)
    keeper.close()
  })
})

describe('fencing off', () => {
  const late = 'sleep 1; touch /tmp/late'

  it('ends what runs under a smaller number, and refuses it on every machine and disk of the owner', async () => {
    const { provider } = place
    const ownership = { owner: 'deployment/d', purpose: 'x' }
    const owned = (id: string) => ({ ...place.request(id), ownership })
    for (const id of ['a', 'b']) await provider.createVm(owned(id), fence(1, 'instance/web/0'))
    const frozen = await provider.connect('a', fence(1, 'instance/web/0'))
    const running = frozen.exec(['sh', '-c', late]).catch((error) => error)
    expect(
      await provider.fenceOff([fence(2, 'instance/web/0'), fence(3, 'disk/x')], { owner: 'deployment/d' }),
    ).toEqual([])
    expect(await running).toMatchObject(superseded)
    for (const id of ['a', 'b'])
      await expect(provider.connect(id, fence(1, 'instance/web/0'))).rejects.toMatchObject(superseded)
    await expect(frozen.exec(['true'])).rejects.toMatchObject(superseded)
    await expect(provider.deleteVm('b', fence(1, 'instance/web/0'))).rejects.toMatchObject(superseded)
    await expect(provider.createVm(owned('c'), fence(1, 'instance/web/0'))).rejects.toMatchObject(superseded)
    await expect(provider.createDisk({ id: 'd', sizeMiB: 1, ownership }, fence(2, 'disk/x'))).rejects.toMatchObject(
      superseded,
    )
    expect((await (await provider.connect('a', null)).exec(['ls', '/tmp'])).stdout).toBe('')
    await provider.createVm(owned('c'), fence(2, 'instance/web/0'))
    frozen.close()
  })

  it('leaves other owners, other scopes and larger numbers alone', async () => {
    const { provider } = place
    await provider.createVm(place.request('w'), fence(9))
    const machine = await provider.connect('w', fence(9))
    const other = await provider.connect('w', fence(1, 'other'))
    const running = Promise.all([machine.exec(['sleep', '0.3']), other.exec(['sleep', '0.3'])])
    expect(await provider.fenceOff([fence(5)], {})).toEqual([])
    expect((await running).map(({ exitCode }) => exitCode)).toEqual([0, 0])
    expect((await machine.exec(['true'])).exitCode).toBe(0)
    for (const connection of [machine, other]) connection.close()
  })

  it('names a machine that does not answer, and holds for it when it wakes', { timeout: 20_000 }, async () => {
    const { provider } = place
    await provider.createVm(place.request('w'), fence(1))
    const agent = Number((await readFile(join(place.directory, 'vms/w/pid'), 'utf8')).split(' ')[0])
    process.kill(agent, 'SIGSTOP')
    expect(await provider.fenceOff([fence(2)], {})).toEqual(['w'])
    process.kill(agent, 'SIGCONT')
    expect(await provider.fenceOff([fence(2)], {}, ['w'])).toEqual([])
    await expect(provider.connect('w', fence(1))).rejects.toMatchObject(superseded)
  })
})
