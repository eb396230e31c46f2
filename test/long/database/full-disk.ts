import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { firstOf, processesOf } from './freeze.ts'

const store = '/var/vcap/store'
const filler = `${store}/filler`

/** With all powers of the host's root, and with the machine's own /proc, which `umount` looks at. */
async function inside(machines: string, vm: string, script: string): Promise<void> {
  const target = String(firstOf(machines, vm))
  await promisify(execFile)('nsenter', ['--target', target, '--mount', '--pid', '/bin/sh', '-euc', script])
}

function servers(machines: string, vm: string): number[] {
  return processesOf(machines, vm).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'postgres'
    } catch {
      return false
    }
  })
}

function tell(pids: readonly number[], signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // It has ended.
    }
  }
}

/** Works on files of a machine while all its processes stand still; its servers are killed, and the rest goes on. */
async function whileStill(machines: string, vm: string, work: () => Promise<void>): Promise<void> {
  const stopped = new Set<number>()
  for (let left = processesOf(machines, vm); left.length > 0; ) {
    tell(left, 'SIGSTOP')
    for (const pid of left) stopped.add(pid)
    left = processesOf(machines, vm).filter((pid) => !stopped.has(pid))
  }
  try {
    await work()
  } finally {
    tell(servers(machines, vm), 'SIGKILL')
    tell([...stopped], 'SIGCONT')
  }
}

/**
 * The disk of a machine is full, and its server was killed, so that it starts there, if it can. Its files are copied to
 * a file system that has room for nothing else, while the machine stands still: nothing is acknowledged meanwhile. That
 * file system ends with the machine.
 */
export async function fillDisk(machines: string, vm: string): Promise<void> {
  await whileStill(machines, vm, () =>
    inside(
      machines,
      vm,
      `small=$(mktemp -d)
       mount -t tmpfs -o size=$(($(du -sk ${store} | cut -f1) + 8192))k none $small
       cp -a ${store}/. $small
       mount --bind $small ${store}
       umount -l $small
       head -c 1G /dev/zero > ${filler} 2>/dev/null || true`,
    ),
  )
}

const isFilled = (machines: string, vm: string) => existsSync(`/proc/${firstOf(machines, vm)}/root${filler}`)

/** There is room again where a disk was filled, while everything there goes on: until `makeRoomOn`. */
export async function growDisk(machines: string, vm: string): Promise<void> {
  if (isFilled(machines, vm)) await inside(machines, vm, `mount -o remount,size=4G ${store}`)
}

/**
 * There is room again where a disk was filled, with all that was written to it since; answers whether it was. No step
 * may be at work there.
 */
export async function makeRoomOn(machines: string, vm: string): Promise<boolean> {
  if (!isFilled(machines, vm)) return false
  await whileStill(machines, vm, () =>
    inside(
      machines,
      vm,
      `rm ${filler}
       full=$(mktemp -d)
       mount --bind ${store} $full
       umount -l ${store}
       find ${store} -mindepth 1 -delete
       cp -a $full/. ${store}
       umount -l $full`,
    ),
  )
  return true
}
