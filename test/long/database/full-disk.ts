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

function tell(pids: readonly number[], signal: 'SIGSTOP' | 'SIGKILL'): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // It has ended.
    }
  }
}

/** Every server of a machine stands still; answers their processes. */
function stopAll(machines: string, vm: string): number[] {
  const stopped = new Set<number>()
  for (let left = servers(machines, vm); left.length > 0; ) {
    tell(left, 'SIGSTOP')
    for (const pid of left) stopped.add(pid)
    left = servers(machines, vm).filter((pid) => !stopped.has(pid))
  }
  return [...stopped]
}

/**
 * The disk of a machine is full, and its server was killed, so that it starts there, if it can. Its files are copied to
 * a file system that has room for nothing else, while the server stands still: it acknowledges nothing meanwhile. That
 * file system ends with the machine.
 */
export async function fillDisk(machines: string, vm: string): Promise<void> {
  const stopped = stopAll(machines, vm)
  await inside(
    machines,
    vm,
    `small=$(mktemp -d)
     mount -t tmpfs -o size=$(($(du -sk ${store} | cut -f1) + 8192))k none $small
     cp -a ${store}/. $small
     mount --bind $small ${store}
     umount -l $small
     head -c 1G /dev/zero > ${filler} 2>/dev/null || true`,
  )
  tell(stopped, 'SIGKILL')
}

/** There is room again where a disk was filled, with all that was written to it since; answers whether it was. */
export async function makeRoomOn(machines: string, vm: string): Promise<boolean> {
  if (!existsSync(`/proc/${firstOf(machines, vm)}/root${filler}`)) return false
  const stopped = stopAll(machines, vm)
  await inside(
    machines,
    vm,
    `rm ${filler}
     full=$(mktemp -d)
     mount --bind ${store} $full
     umount -l ${store}
     find ${store} -mindepth 1 -delete
     cp -a $full/. ${store}
     umount -l $full`,
  )
  tell(stopped, 'SIGKILL')
  return true
}
