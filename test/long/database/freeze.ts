import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The first process of a machine, by which Remodel reaches it. */
export function firstOf(machines: string, vm: string): number {
  return Number(readFileSync(join(machines, 'vms', vm, 'pid'), 'utf8').split(' ')[0])
}

/** The processes of a machine as this one sees them. */
export function processesOf(machines: string, vm: string): number[] {
  const first = firstOf(machines, vm)
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
  const stopped = new Set<number>()
  // Until a look finds none that was begun during the one before.
  for (;;) {
    const left = processesOf(machines, vm).filter((pid) => !stopped.has(pid))
    if (left.length === 0) return
    for (const pid of left) {
      stopped.add(pid)
      try {
        process.kill(pid, 'SIGSTOP')
      } catch {
        // It has ended.
      }
    }
  }
}

/** Out of Remodel's reach, for good; its server goes on for clients and for other servers. */
export function cutOff(machines: string, vm: string): void {
  process.kill(firstOf(machines, vm), 'SIGSTOP')
}

/** Ends at once. */
export function killMachine(machines: string, vm: string): void {
  process.kill(firstOf(machines, vm), 'SIGKILL')
}
