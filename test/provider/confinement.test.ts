import { execFileSync } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Connection } from '../../shared/provider/connection.ts'
import { hiddenDirectories, inRootOf } from '../../shared/provider/local/hidden.ts'
import { LocalProvider } from '../../shared/provider/local/index.ts'
import { fence, Place, until } from './place.ts'

/** Not below /tmp, which every machine has for itself: here only what hides the home can hide it. */
let folder = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url))
const root = process.getuid?.() === 0
/** Some sandboxes take this from their root. */
const mayRaiseLimits = (bits(readFileSync('/proc/self/status', 'utf8'), 'CapEff') >> 24n) & 1n

let place: Place
let home: string
let machine: Connection
const secret = `s3cr3t-${process.pid}-${performance.now()}`

beforeEach(async () => {
  place = await Place.make()
  mkdirSync(folder, { recursive: true })
  home = realpathSync(mkdtempSync(join(folder, 'home-')))
  folder = dirname(home)
  mkdirSync(join(home, 'blobs'))
  writeFileSync(join(home, 'up.json'), secret)
  writeFileSync(join(home, 'blobs', 'rendered'), secret)
})
afterEach(async () => {
  machine?.close()
  await place.leave()
  rmSync(home, { recursive: true })
})

async function boot(network: 'shared' | 'none' = 'shared', renewable = false): Promise<void> {
  const provider = new LocalProvider({ directory: place.directory, hidden: [home] })
  await provider.createVm(place.request('w', { network, renewable }), fence(1))
  machine = await provider.connect('w', fence(1))
}

async function shell(script: string): Promise<string> {
  const { stdout, stderr } = await machine.exec(['/bin/sh', '-c', script])
  return stdout + stderr
}

/** Takes every mount off that can be taken off, from the innermost on. */
const unmountAll =
  'for i in 1 2 3; do cut -d\' \' -f5 /proc/self/mountinfo | tac | while read -r m; do umount -l "$m"; done; done 2>/dev/null'
function bits(line: string, name: string): bigint {
  return BigInt(`0x${new RegExp(`${name}:\\s*([0-9a-f]+)`).exec(line)?.[1] ?? 'f'.repeat(16)}`)
}
/** Of linux/capability.h. */
const forbidden = {
  ...{ DAC_READ_SEARCH: 2, LINUX_IMMUTABLE: 9, NET_ADMIN: 12, NET_RAW: 13, SYS_MODULE: 16, SYS_RAWIO: 17 },
  ...{
    SYS_PTRACE: 19,
    SYS_ADMIN: 21,
    SYS_BOOT: 22,
    SYS_NICE: 23,
    SYS_TIME: 25,
    MKNOD: 27,
    SYSLOG: 34,
    PERFMON: 38,
    BPF: 39,
  },
}

function expectNone(status: string): void {
  for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapInh', 'CapAmb']) {
    const held = Object.entries(forbidden).filter(([, bit]) => (bits(status, set) >> BigInt(bit)) & 1n)
    expect([set, held.map(([name]) => name)]).toEqual([set, []])
  }
}

describe('a machine on the root of this computer', () => {
  it.each([
    ['shared', 'kept'],
    ['none', 'kept'],
    ['none', 'renewable'],
  ] as const)(
    'with network %s, %s, does not see the home of Remodel, whatever it unmounts, and holds no powers',
    async (network, kind) => {
      await boot(network, kind === 'renewable')
      if (kind === 'renewable') await machine.renew()
      expectNone(await shell('cat /proc/self/status'))
      const look = `cat ${home}/up.json ${home}/blobs/rendered; ls -A ${home}`
      expect(readFileSync(join(home, 'up.json'), 'utf8')).toBe(secret)
      const tries = [
        look,
        `${unmountAll}; ${look}`,
        `unshare --user --map-root-user --mount sh -c '${unmountAll.replaceAll("'", "'\\''")}; ${look}'`,
        `rmdir ${home}; ${look}; mkdir -p ${home}; ${look}`,
        `mv ${folder} ${folder}-moved; cat ${folder}-moved/*/up.json`,
        `mkdir /tmp/b; mount --bind ${folder} /tmp/b; cat /tmp/b/*/up.json`,
        `grep -rs "${secret}" ${folder} /var/vcap /run /proc/1/root${home}`,
      ]
      for (const script of tries) expect(await shell(script), script).not.toContain('s3cr3t-')
    },
  )

  it.runIf(root)('does not see it either where an ordinary user made it, in a user namespace', async () => {
    // Not below /tmp, and where another user gets to.
    const own = mkdtempSync('/var/tmp/remodel-user-home-')
    try {
      writeFileSync(join(own, 'up.json'), secret)
      chownSync(own, 54_321, 54_321)
      const look = `cat ${own}/up.json; ls -A ${own} /root; echo looked; grep Cap /proc/self/status`
      const script = fileURLToPath(new URL('./look-inside.ts', import.meta.url))
      const as = [
        '--reuid=54321',
        '--regid=54321',
        '--clear-groups',
        process.execPath,
        script,
        own,
        `${look}; ${unmountAll}; ${look}`,
      ]
      const seen = execFileSync('setpriv', as, { env: { PATH: process.env.PATH, HOME: own } }).toString()
      expect(seen.match(/looked/g)).toHaveLength(2)
      expect(seen).not.toContain('s3cr3t-')
      expectNone(seen)
    } finally {
      rmSync(own, { recursive: true })
    }
  })

  it('finds the homes of users empty, and may write to its own', async () => {
    await boot()
    const seen = await shell('ls -A /root; for d in /home/*; do [ $d = /home/linuxbrew ] || ls -A $d; done 2>/dev/null')
    expect(seen).toBe('')
    expect(await shell('echo mine > /root/.profile && cat /root/.profile')).toBe('mine\n')
  })

  it('hides the real place of a home that is reached through a link or a bind mount', async () => {
    const hidden = await hiddenDirectories([home], { HOME: '/usr' })
    expect(hidden).toContain(home)
    expect(hidden).not.toContain('/usr')
    expect(hidden).not.toContain('/')
    const table = [
      '25 1 254:0 / / rw - ext4 /dev/vda rw',
      '30 25 254:0 /data/with\\040space /srv rw - ext4 /dev/vda rw',
      '31 25 254:1 / /mnt rw - ext4 /dev/vdb rw',
    ].join('\n')
    expect(inRootOf(table, '/srv/remodel')).toBe('/data/with space/remodel')
    expect(inRootOf(table, '/mnt/remodel')).toBeUndefined()
    expect(inRootOf(table, '/home/ann')).toBeUndefined()
    const inContainer = table.replace('/ / rw', '/data / rw')
    expect(inRootOf(inContainer, '/srv/remodel')).toBe('/with space/remodel')
  })
})

describe('what runs on a machine as root', () => {
  it('has none of the powers that reach beyond the machine, and nothing gives them back', async () => {
    await boot()
    expectNone(await shell('cat /proc/self/status'))
    // setuid root, from another user; a file that says it grants everything.
    expectNone(
      await shell(
        'cp /bin/cat /tmp/cat && chmod 4755 /tmp/cat && setpriv --reuid=65534 --clear-groups /tmp/cat /proc/self/status',
      ),
    )
    const attacks = [
      'mount -t tmpfs x /mnt',
      'mount -o remount,rw /sys',
      'mknod /tmp/disk b 254 0',
      'ip link add edge0 type dummy',
      'nsenter --target 1 --mount true',
      'cat /proc/1/environ',
      'readlink /proc/1/fd/0',
      'ls /proc/1/root/',
      'swapon /tmp/cat',
      // In a namespace of its own root is root of the host's files all the same: a fresh /proc or /sys
      // there could be written.
      'unshare --user --map-root-user --mount --pid --fork mount -t proc proc /mnt',
      'unshare --user --map-root-user --mount --net mount -t sysfs sysfs /mnt',
      'unshare --user --map-root-user --mount mount -o remount,rw,bind /proc/sys',
      'unshare --user --map-root-user --mount umount /proc/sys',
      'unshare --user --map-root-user --mount umount /run',
    ]
    for (const attack of attacks) {
      const { exitCode } = await machine.exec(['/bin/sh', '-c', attack])
      expect([attack, exitCode === 0]).toEqual([attack, false])
    }
  })

  it('has none of them either where it is a supervised process', async () => {
    await boot()
    const pidfile = '/var/vcap/sys/run/d.pid'
    const start = `cat /proc/self/status > /tmp/status; sleep 1000 & echo $! > ${pidfile}`
    await machine.supervise([{ name: 'd', pidfile, start, stop: `kill $(cat ${pidfile})` }])
    await machine.start()
    await until(async () => (await machine.status()).every((row) => row.state === 'running'))
    expectNone(await shell('cat /tmp/status'))
  })

  it('cannot write what /proc and /sys say of the kernel', async () => {
    await boot()
    // Opened for appending, nothing is written: a failing guard must not change this computer.
    const files = [
      '/proc/sys/kernel/core_pattern',
      '/proc/sys/vm/swappiness',
      '/proc/sysrq-trigger',
      '/sys/kernel/uevent_helper',
    ]
    const more = await shell('find /sys/kernel /sys/fs/cgroup -maxdepth 3 -type f -perm -u+w 2>/dev/null | head -40')
    for (const file of [...files, ...more.split('\n').filter(Boolean)]) {
      const { exitCode } = await machine.exec(['/bin/sh', '-c', `: >> ${file}`])
      expect([file, exitCode === 0]).toEqual([file, false])
    }
  })

  it('keeps what jobs need: other users, owners, low ports, chroot, higher limits, setuid programs', async () => {
    await boot('none')
    const needs = [
      'echo x > /tmp/f && chmod 640 /tmp/f && cat /tmp/f',
      'kill -0 $$',
      ...(root
        ? [
            'chown 1234:1234 /tmp/f && [ $(stat -c %u /tmp/f) = 1234 ]',
            '[ $(setpriv --reuid=1234 --regid=1234 --clear-groups id -u) = 1234 ]',
            'cp /usr/bin/id /tmp/id && chmod 4755 /tmp/id && [ $(setpriv --reuid=1234 --clear-groups /tmp/id -u) = 0 ]',
            'chroot / true',
            ...(mayRaiseLimits ? ['ulimit -n $(($(ulimit -Hn) + 1))'] : []),
          ]
        : []),
    ]
    for (const need of needs) {
      const { exitCode, stderr } = await machine.exec(['/bin/bash', '-c', need])
      expect([need, exitCode, stderr]).toEqual([need, 0, ''])
    }
  })
})

describe('PID 1 of a machine', () => {
  it('has an empty environment, whatever the process that made it has, and commands get only their own', async () => {
    process.env.REMODEL_TEST_SECRET = secret
    try {
      await boot()
    } finally {
      delete process.env.REMODEL_TEST_SECRET
    }
    for (const pid of place.agents()) expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toBe('')
    const { stdout } = await machine.exec(['env'], { env: { BOSH_X: '1' } })
    expect(stdout.trim().split('\n').sort()).toEqual(['BOSH_X=1', expect.stringMatching(/^PATH=/)])
  })

  it('looks for a command in the PATH of the command', async () => {
    await boot()
    await machine.write('/tmp/own/tool', '#!/bin/sh\necho own\n')
    await shell('chmod +x /tmp/own/tool')
    expect((await machine.exec(['tool'], { env: { PATH: '/tmp/own:/bin' } })).stdout).toBe('own\n')
  })
})
