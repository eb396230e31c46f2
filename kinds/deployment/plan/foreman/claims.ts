import type { StandingInstance, StandingPlace, StandingVm } from './standing.ts'
import type { Task } from './task.ts'

/** Who has to let go of an address before somebody else's machine can be made. */
export interface Claims {
  /** cid of a machine that nobody needs any more, but holds an address that is wanted: it goes first. */
  early: Set<string>
  /** Task -> cids of machines that must be gone before its machine is made. */
  waitsFor: Map<Task, string[]>
  /** Tasks that pass addresses among each other are done together, as one: task -> the first of them. */
  leader: Map<Task, Task>
}

/**
 * A static address may wander from one instance to another, even in a circle. The holder then lets go first. Two instances
 * that are both changed share one seat in their windows: otherwise one could hold the last seat while it waits for the other.
 */
export function claimAddresses(
  tasks: readonly Task[],
  obsolete: readonly StandingInstance[],
  spares: readonly StandingVm[],
  standing: StandingPlace,
): Claims {
  const claims: Claims = { early: new Set(), waitsFor: new Map(), leader: new Map() }
  const moves = tasks.filter(needsNewVm)
  const makes = moves.filter((task) => !task.adopted)
  if (makes.length === 0) return claims
  const holders = new Map<string, { vm: StandingVm; task: Task | null }>()
  const hold = (vm: StandingVm | null | undefined, task: Task | null) => {
    if (!vm) return
    for (const { address } of vm.attributes.networks) holders.set(address, { vm, task })
  }
  for (const instance of obsolete) hold(standing.vms.get(instance.cid ?? ''), null)
  for (const spare of spares) hold(spare, null)
  for (const task of moves) hold(standing.vms.get(task.old?.cid ?? ''), task)

  for (const task of makes) {
    for (const { address } of task.vm.networks) {
      const holder = holders.get(address)
      if (!holder || holder.task === task) continue
      claims.waitsFor.set(task, [...(claims.waitsFor.get(task) ?? []), holder.vm.cid])
      if (holder.task) unite(claims.leader, task, holder.task, tasks)
      else claims.early.add(holder.vm.cid)
    }
  }
  return claims
}

export function needsNewVm(task: Task): boolean {
  return task.how === 'create' || task.how === 'recreate' || task.how === 'swap'
}

export function leaderOf(leader: ReadonlyMap<Task, Task>, task: Task): Task {
  let top = task
  for (let next = leader.get(top); next && next !== top; next = leader.get(top)) top = next
  return top
}

/** The one that comes first in the plan leads. */
function unite(leader: Map<Task, Task>, a: Task, b: Task, tasks: readonly Task[]): void {
  const [left, right] = [leaderOf(leader, a), leaderOf(leader, b)]
  if (left === right) return
  const leftFirst = tasks.indexOf(left) < tasks.indexOf(right)
  leader.set(leftFirst ? right : left, leftFirst ? left : right)
}
