import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

/**
 * Runs a shell line in the mount namespace of a VM with all powers of the host's root: what nothing
 * in the VM itself may do.
 */
export async function asHost(machines: string, vm: string, script: string): Promise<void> {
  const [pid = ''] = readFileSync(join(machines, 'vms', vm, 'pid'), 'utf8').split(' ')
  const namespaces = ['--mount', ...(process.getuid?.() === 0 ? [] : ['--user', '--preserve-credentials'])]
  await promisify(execFile)('nsenter', ['--target', pid, ...namespaces, '/bin/sh', '-euc', script])
}
