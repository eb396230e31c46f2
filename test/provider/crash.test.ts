import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readEffects } from '../../shared/provider/local/index.ts'
import { fence, Place, until } from './place.ts'

const script = fileURLToPath(new URL('./create-once.ts', import.meta.url))
let place: Place
beforeEach(async () => {
  place = await Place.make()
})
afterEach(() => place.leave())

function worker(id: string, number: number, env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [script, place.directory, id, String(number)], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', env.QUIET ? 'ignore' : 'inherit'],
  })
}

async function killedAt(failpoint: string, env: Record<string, string> = {}): Promise<void> {
  const [, signal] = await once(worker('w', 1, { ...env, REMODEL_LOCAL_FAILPOINT: failpoint }), 'exit')
  expect(signal).toBe('SIGKILL')
}

describe('a worker killed while it makes a VM', () => {
  it.each([
    ['create_vm.locked', []],
    ['create_vm.recorded', ['creating']],
    ['create_vm.prepared', ['creating']],
    ['create_vm.started', ['creating']],
    ['create_vm.booted', ['creating']],
    ['create_vm.committed', ['dead']],
  ])('at %s leaves nothing that runs, and the next one of the same id finishes', async (failpoint, states) => {
    await killedAt(failpoint)
    await place.expectNothingRuns()
    const left = await place.provider.listVms({ owner: 'deployment/test' })
    expect(left.map((vm) => vm.state)).toEqual(states)
    await expect(place.provider.createVm(place.request('w'), fence(0))).rejects.toMatchObject({ code: 'superseded' })
    expect(await place.provider.createVm(place.request('w'), fence(2))).toMatchObject({ state: 'running' })
    const machine = await place.provider.connect('w', fence(2))
    expect((await machine.exec(['hostname'])).stdout).toBe('w\n')
    machine.close()
  })

  it.each(['create_vm.recorded', 'create_vm.prepared', 'create_vm.started', 'create_vm.booted', 'create_vm.committed'])(
    'at %s leaves what a sweep can delete by its ownership',
    async (failpoint) => {
      await killedAt(failpoint)
      const [half] = await place.provider.listVms({ owner: 'deployment/test' })
      await place.provider.deleteVm(half!.id, null)
      await place.expectNothingLeft()
    },
  )
})

describe('a worker killed while it deletes a VM', () => {
  it.each(['delete_vm.locked', 'delete_vm.killed', 'delete_vm.removed'])(
    'at %s leaves what the next delete finishes',
    async (failpoint) => {
      await place.provider.createVm(place.request('w'), fence(1))
      place.remember()
      await killedAt(failpoint, { DELETE: '1' })
      expect(await place.provider.listVms({ owner: 'deployment/test' })).toHaveLength(1)
      await place.provider.deleteVm('w', fence(1))
      await place.expectNothingLeft()
      expect((await readEffects(place.directory)).at(-1)).toMatchObject({ effect: 'delete_vm', id: 'w', fence: 1 })
    },
  )
})

describe('an empty directory, left by a kill before the first or after the last step', () => {
  it('is no VM, and goes with the next look', async () => {
    mkdirSync(join(place.directory, 'vms', 'empty'))
    expect(await place.provider.listVms()).toEqual([])
    expect(existsSync(join(place.directory, 'vms', 'empty'))).toBe(false)
  })
})

describe('a worker that is frozen while its VM is made', () => {
  it('holds up no other worker: a larger fence gets its VM, and the late one is refused', async () => {
    const frozen = worker('w', 1, { QUIET: '1' })
    const exit = once(frozen, 'exit')
    await until(() => existsSync(join(place.directory, 'vms', 'w')))
    frozen.kill('SIGSTOP')
    // The frozen one is woken below: a creation that waited for it would never end.
    await place.provider.createVm(place.request('w'), fence(2))
    await place.provider.deleteVm('w', fence(2))
    frozen.kill('SIGCONT')
    expect((await exit)[0]).toBe(1)
    expect(await place.provider.listVms()).toEqual([])
  })
})

describe('a worker in another container', () => {
  it.runIf(process.getuid?.() === 0)('deletes a VM whose process ids mean nothing to it', async () => {
    await place.provider.createVm(place.request('w'), fence(1))
    const machine = await place.provider.connect('w', fence(1))
    await machine.exec(['sh', '-c', 'setsid sleep 1000 >/dev/null 2>&1 &'])
    place.remember()
    machine.close()
    const command = ['--pid', '--fork', '--mount-proc', process.execPath, script, place.directory, 'w', '1']
    const [code] = await once(
      spawn('unshare', command, { env: { ...process.env, DELETE: '1' }, stdio: 'inherit' }),
      'exit',
    )
    expect(code).toBe(0)
    await place.expectNothingLeft()
  })
})

describe('many workers that make the same VM at once', () => {
  it('get one VM and leave one effect', async () => {
    const workers = [1, 2, 3].map(() => worker('w', 1))
    const exits = await Promise.all(workers.map((one) => once(one, 'exit')))
    expect(exits.map(([code]) => code)).toEqual([0, 0, 0])
    expect(await place.provider.listVms()).toMatchObject([{ id: 'w', state: 'running' }])
    expect(place.agents()).toHaveLength(1)
    expect((await readEffects(place.directory)).map((line) => line.effect)).toEqual(['create_vm'])
  })
})
