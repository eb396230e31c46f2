import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Connection } from '../../shared/provider/connection.ts'
import { fence, Place } from './place.ts'

let place: Place
let machine: Connection

beforeEach(async () => {
  place = await Place.make()
  await place.provider.createVm(place.request('w', { network: 'none', renewable: true }), fence(1))
  machine = await place.provider.connect('w', fence(1))
})
afterEach(async () => {
  machine.close()
  await place.leave()
})

const said = async (script: string) => (await machine.exec(['/bin/bash', '-c', script])).stdout.trim()

describe('a renewable VM', () => {
  it('is as new after a renewal: no process, file, socket, shared memory or mode of before is there', async () => {
    const look =
      'cd /; ls -laR --time-style=+ /tmp /var/vcap /dev/shm /run /usr/local /etc 2>&1 | cksum; cat /proc/net/unix /proc/sysvipc/shm | wc -l; ls /proc | grep -c "^[0-9]"; cksum /usr/bin/tar'
    const before = await said(look)
    await said(
      'sleep 1000 & setsid sleep 1000 & echo x > /usr/bin/tar; touch /tmp/..x /var/vcap/data/x /dev/shm/x /run/x; chmod 0 /usr/local; chown 7 /etc; rm -r /var/vcap/jobs; ipcmk -M 64',
    )
    expect(await said(look)).not.toBe(before)
    await machine.renew()
    expect(await said(look)).toBe(before)
  })

  it('runs every process below another PID 1 than the agent, and sees nothing of it', async () => {
    expect(await said('cat /proc/1/comm')).toBe('remodel-room')
    expect(await said(`ls ${place.directory}; cat /proc/*/comm | grep -c agent`)).toBe('0')
  })

  it('ends every process and keeps the files, whatever the processes do against it', async () => {
    await said(
      '(trap "" TERM INT HUP; setsid bash -c "while :; do date +%N > /tmp/clock; done" > /dev/null 2>&1 &) ; bash -c "kill -STOP \\$\\$" > /dev/null 2>&1 &',
    )
    await machine.endProcesses()
    const first = await said('cat /tmp/clock; ls /proc | grep -c "^[0-9]"')
    expect(await said('sleep 0.1; cat /tmp/clock; ls /proc | grep -c "^[0-9]"')).toBe(first)
  })

  it('that ran no command is not made anew, and says how much of its disk is free', async () => {
    const folder = join(place.directory, 'vms/w/rooms/1')
    expect((await machine.renew()).freeBytes).toBeGreaterThan(2 ** 20)
    expect(existsSync(folder)).toBe(true)
    await machine.exec(['true'])
    await machine.renew()
    await machine.renew()
    expect(existsSync(folder)).toBe(false)
  })

  it('ends the commands that run when it is renewed', async () => {
    const running = machine.exec(['sleep', '1000'])
    await machine.exec(['true'])
    await machine.renew()
    expect(await running).toMatchObject({ exitCode: null, signal: 'SIGKILL' })
  })

  it('supervises nothing and has no disk; another VM cannot be renewed', async () => {
    await expect(machine.supervise([])).rejects.toMatchObject({ code: 'unsupported' })
    await place.provider.createVm(place.request('other'), fence(1, 'other'))
    const other = await place.provider.connect('other', fence(1, 'other'))
    await expect(other.renew()).rejects.toMatchObject({ code: 'unsupported' })
    await expect(other.endProcesses()).rejects.toMatchObject({ code: 'unsupported' })
    other.close()
  })

  it('refuses an older fence', async () => {
    const newer = await place.provider.connect('w', fence(2))
    await newer.exec(['true'])
    newer.close()
    await expect(machine.renew()).rejects.toMatchObject({ code: 'superseded' })
  })
})

describe('a VM is deleted', () => {
  const inVm = (...path: string[]) => join(place.directory, 'vms/w', ...path)

  it('with immutable and append-only files and directories in it', async (context) => {
    const folder = inVm('rooms/1/tmp/still')
    mkdirSync(folder)
    writeFileSync(join(folder, 'file'), '')
    writeFileSync(join(folder, 'log'), '')
    try {
      for (const [flag, path] of [
        ['+i', 'file'],
        ['+a', 'log'],
        ['+i', '.'],
      ] as const)
        execFileSync('chattr', [flag, join(folder, path)])
    } catch {
      return context.skip('this file system or user has no immutable files')
    }
    await place.provider.deleteVm('w', null)
    expect(existsSync(inVm())).toBe(false)
  })

  it('with a tree deeper than files can be open', async () => {
    // Relative to itself: no path is that long.
    const { exitCode } = await machine.exec(
      ['perl', '-e', 'for (1 .. 1500) { mkdir "d"; open my $f, ">", "f"; chdir "d" or die }'],
      { cwd: '/tmp' },
    )
    expect(exitCode).toBe(0)
    await place.provider.deleteVm('w', null)
    expect(existsSync(inVm())).toBe(false)
  })

  it('or the entry that cannot be removed is named', async (context) => {
    if (process.getuid?.() !== 0) return context.skip('only root can mount')
    const busy = inVm('rooms/1/tmp/busy-one')
    mkdirSync(busy)
    execFileSync('mount', ['-t', 'tmpfs', 'none', busy])
    try {
      await expect(place.provider.deleteVm('w', null)).rejects.toThrow('busy-one')
    } finally {
      execFileSync('umount', [busy])
    }
  })
})
