import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalProvider, readEffects } from '../../shared/provider/local/index.ts'
import { settledStamp } from '../../shared/provider/local/settled-folder.ts'
import { fence, Place, until } from './place.ts'

let place: Place
beforeEach(async () => {
  place = await Place.make()
})
afterEach(() => place.leave())

async function agentPid(id: string): Promise<number> {
  return Number(readFileSync(join(place.directory, 'vms', id, 'pid'), 'utf8').split(' ')[0])
}

describe('a local VM', () => {
  it('answers as soon as createVm returns, as root of a machine of its own', async () => {
    const vm = await place.provider.createVm(place.request('web-0', { addresses: ['127.9.0.1'] }), fence(1))
    expect(vm).toMatchObject({ id: 'web-0', state: 'running', addresses: ['127.9.0.1'], disks: [] })
    const machine = await place.provider.connect('web-0', fence(1))
    const script =
      'id -u; hostname; cat /etc/hostname; grep web-0 /etc/hosts; echo $$; ls -A /tmp /var/vcap/store; echo $PATH'
    const { stdout, stderr, exitCode } = await machine.exec(['sh', '-c', script])
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
    const [uid, host, file, hosts, pid, ...rest] = stdout.trim().split('\n')
    expect([uid, host, file, hosts]).toEqual(['0', 'web-0', 'web-0', '127.9.0.1 web-0'])
    expect(Number(pid)).toBeLessThan(100)
    expect(rest).toEqual(['/tmp:', '', '/var/vcap/store:', '/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin'])
    machine.close()
  })

  it('has the directories that releases expect, empty', async () => {
    await place.provider.createVm(place.request('web-0'), fence(1))
    const machine = await place.provider.connect('web-0', null)
    const { stdout } = await machine.exec(['sh', '-c', 'cd /var/vcap && find . -type d | sort; find . -type f'])
    expect(stdout.trim().split('\n')).toEqual(
      ['.', './bosh', './data', './instance', './jobs', './monit', './packages', './store', './sys'].concat([
        './sys/log',
        './sys/run',
      ]),
    )
    machine.close()
  })

  it('writes to its own files only: never to the host or to another VM', async () => {
    const mark = `/usr/local/mark-${process.pid}`
    await Promise.all(['a', 'b'].map((id) => place.provider.createVm(place.request(id), fence(1, id))))
    const [a, b] = await Promise.all(['a', 'b'].map((id) => place.provider.connect(id, null)))
    await a!.exec([
      'sh',
      '-c',
      `echo a > ${mark}; echo a > /tmp/mark; echo a > /var/vcap/data/mark; echo a > /dev/shm/mark; echo 1 > /etc/hosts`,
    ])
    const look = await b!.exec([
      'sh',
      '-c',
      `ls ${mark} /tmp/mark /var/vcap/data/mark /dev/shm/mark 2>/dev/null; cat /etc/hosts`,
    ])
    expect(look.stdout).toBe('127.0.0.1 localhost\n')
    expect(existsSync(mark)).toBe(false)
    a!.close()
    b!.close()
  })

  it('without network has its own loopback and nothing else', async () => {
    await place.provider.createVm(place.request('c', { network: 'none' }), fence(1))
    const machine = await place.provider.connect('c', null)
    const { stdout } = await machine.exec([
      'sh',
      '-c',
      'cat /proc/net/fib_trie | grep -E "[|]-- [0-9]" | sort -u; cat /sys/class/net/lo/flags',
    ])
    expect(stdout).not.toMatch(/-- (?!127|0\.0\.0\.0)/)
    expect(stdout).toMatch(/127\.0\.0\.1/)
    machine.close()
  })

  it('survives the process that made it and is listed by any other with its ownership', async () => {
    const ownership = { owner: 'compiler/7', purpose: 'compile', note: 'x' }
    await place.provider.createVm(place.request('w', { ownership }), fence(1))
    const other = new LocalProvider({ directory: place.directory })
    expect(await other.listVms({ owner: 'compiler/7' })).toMatchObject([{ id: 'w', state: 'running', ownership }])
    expect(await other.listVms({ owner: 'compiler/8' })).toEqual([])
    expect(await other.listVms({ owner: 'compiler/' })).toMatchObject([{ id: 'w', ownership }])
    expect(await other.listVms({ owner: 'deployment/' })).toEqual([])
    expect(await other.findVm('nothing')).toBeUndefined()
  })

  it('asked for twice is the same VM; asked for with another stemcell it is a conflict', async () => {
    const first = await place.provider.createVm(place.request('w'), fence(1))
    const machine = await place.provider.connect('w', null)
    await machine.write('/tmp/mark', 'x')
    expect(await place.provider.createVm(place.request('w'), fence(2))).toEqual(first)
    expect(String(await machine.read('/tmp/mark'))).toBe('x')
    machine.close()
    const other = await place.provider.importStemcell({ name: 'other', version: '1' })
    await expect(place.provider.createVm(place.request('w', { stemcell: other }), fence(2))).rejects.toMatchObject({
      code: 'conflict',
    })
    expect((await readEffects(place.directory)).map((line) => line.effect)).toEqual(['create_vm'])
  })

  it('whose PID 1 died is listed as dead, refuses connections, and can be deleted', async () => {
    await place.provider.createVm(place.request('w'), fence(1))
    process.kill(await agentPid('w'), 'SIGKILL')
    await until(async () => (await place.provider.findVm('w'))?.state === 'dead')
    await expect(place.provider.connect('w', null)).rejects.toMatchObject({ code: 'infrastructure' })
    await place.provider.deleteVm('w', fence(1))
    expect(await place.provider.findVm('w')).toBeUndefined()
  })

  it('that died and is made anew for another owner is listed as that one has it, whatever was known', async () => {
    const { provider } = place
    const listed = async (owner: string) => (await provider.listVms({ owner })).map(({ id }) => id)
    await provider.createVm(place.request('w'), fence(1))
    await until(async () => settledStamp(join(place.directory, 'vms')) !== undefined)
    for (let i = 0; i < 2; i++) expect(await listed('deployment/x')).toEqual([])
    process.kill(await agentPid('w'), 'SIGKILL')
    await until(async () => (await provider.findVm('w'))?.state === 'dead')
    expect(await provider.listVms({ owner: 'deployment/test' })).toMatchObject([{ id: 'w', state: 'dead' }])
    const ownership = { owner: 'deployment/x', purpose: 'instance/w' }
    await provider.createVm(place.request('w', { ownership }), fence(2))
    expect([await listed('deployment/x'), await listed('deployment/test')]).toEqual([['w'], []])
  })

  it('that is frozen fails every call, and is deleted all the same', async () => {
    await place.provider.createVm(place.request('w'), fence(1))
    const machine = await place.provider.connect('w', fence(1))
    const long = machine.exec(['sleep', '100'])
    process.kill(await agentPid('w'), 'SIGSTOP')
    const all = await Promise.allSettled([
      place.provider.connect('w', null),
      machine.status(),
      machine.exec(['true']),
      long,
    ])
    expect(all.map((one) => one.status === 'rejected' && one.reason.code)).toEqual(Array(4).fill('infrastructure'))
    place.remember()
    await place.provider.deleteVm('w', fence(1))
    await place.expectNothingLeft()
  })

  it('is deleted with everything it ran, and deleting it again is success', async () => {
    await place.provider.createVm(place.request('w'), fence(1))
    const machine = await place.provider.connect('w', fence(1))
    await machine.exec([
      'sh',
      '-c',
      'for i in 1 2 3; do setsid sleep 1000 >/dev/null 2>&1 & done; mkdir -p /opt/a/b; mount -t tmpfs x /opt/a',
    ])
    place.remember()
    machine.close()
    await place.provider.deleteVm('w', fence(2))
    await place.expectNothingLeft()
    await place.provider.deleteVm('w', fence(2))
    await place.provider.deleteVm('never-was', null)
    expect((await readEffects(place.directory)).map((line) => [line.effect, line.fence])).toEqual([
      ['create_vm', 1],
      ['delete_vm', 2],
    ])
  })

  it('comes up thirty at a time, and thirty go at a time', { timeout: 60_000 }, async () => {
    const names = Array.from({ length: 30 }, (_, n) => `vm-${n}`)
    const start = performance.now()
    const vms = await Promise.all(names.map((id) => place.provider.createVm(place.request(id), fence(1, id))))
    const made = performance.now()
    expect(vms.map((vm) => vm.state)).toEqual(names.map(() => 'running'))
    expect(await place.provider.listVms()).toHaveLength(30)
    await Promise.all(
      names.map(async (id) => {
        const machine = await place.provider.connect(id, null)
        expect((await machine.exec(['hostname'])).stdout).toBe(`${id}\n`)
        machine.close()
      }),
    )
    place.remember()
    const before = performance.now()
    await Promise.all(names.map((id) => place.provider.deleteVm(id, fence(1, id))))
    console.log(`30 made in ${Math.round(made - start)} ms, deleted in ${Math.round(performance.now() - before)} ms`)
    await place.expectNothingLeft()
    expect(readdirSync(join(place.directory, 'vms'))).toEqual([])
  })

  it('that cannot be made leaves nothing: an unknown stemcell, a bad id, a cancelled call', async () => {
    const { provider } = place
    await expect(provider.createVm(place.request('w', { stemcell: 'none' }), fence(1))).rejects.toMatchObject({
      code: 'not-found',
    })
    await expect(provider.createVm(place.request('../w'), fence(1))).rejects.toMatchObject({ code: 'invalid-input' })
    await expect(provider.createVm(place.request('w'), fence(1), AbortSignal.abort())).rejects.toMatchObject({
      code: 'cancelled',
    })
    await place.expectNothingLeft()
  })

  it('says once which limits are not enforced', async () => {
    const resources = { diskMiB: 10 }
    await place.provider.createVm(place.request('a', { resources }), fence(1))
    await place.provider.createVm(place.request('b', { resources }), fence(1))
    expect(place.said.filter((line) => line.includes('disk'))).toHaveLength(1)
  })
})
