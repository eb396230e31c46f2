import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The processes of a machine as this one sees them. */
function processesOf(machines: string, vm: string): number[] {
  const first = Number(readFileSync(join(machines, 'vms', vm, 'pid'), 'utf8').split(' ')[0])
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
    } catch {
      // It is gone.
    }
  }
  const tree = new Set([first])
  for (const pid of tree) for (const [child, parent] of parents) if (parent === pid) tree.add(child)
  return [...tree]
}

/** Every process of a machine stands still, for good: only its end helps. */
export function freeze(machines: string, vm: string): void {
  for (const pid of processesOf(machines, vm)) process.kill(pid, 'SIGSTOP')
}
