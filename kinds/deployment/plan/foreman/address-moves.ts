import type { ActualInstance, ActualVm, IndexedFloorplan } from './actual.ts'
import type { Decided } from './stages.ts'

/** Which machine has to let go of an address before another one can be made. */
export interface AddressMoves {
  /** cid of a machine that no instance needs any more, but holds an address that is wanted: it goes first. */
  readonly early: ReadonlySet<string>
  /** Instance -> cids of machines that must be gone before its machine is made. */
  readonly waitsFor: ReadonlyMap<Decided, readonly string[]>
  /** Instances that pass addresses among each other are done together, as one: each of them -> the first. */
  readonly leaders: ReadonlyMap<Decided, Decided>
}

/** What is not wanted any more, and may hold an address that is. */
interface Unwanted {
  readonly obsolete: readonly ActualInstance[]
  readonly spares: readonly ActualVm[]
}

/**
 * A static address may wander from one instance to another, even in a circle. The holder then lets go first. Two
 * instances that are both changed share one permit: otherwise one could hold the last permit of a window while it waits
 * for the other. `tasks` are in the order of the plan.
 */
export function orderAddressMoves(
  tasks: readonly Decided[],
  { obsolete, spares }: Unwanted,
  { vms }: Pick<IndexedFloorplan, 'vms'>,
): AddressMoves {
  const early = new Set<string>()
  const waitsFor = new Map<Decided, string[]>()
  const pairs: [Decided, Decided][] = []
  const moved = tasks.filter(needsNewVm)
  const makes = moved.filter((task) => !task.adopted)
  if (makes.length === 0) return { early, waitsFor, leaders: new Map() }
  const holders = new Map<string, { vm: ActualVm; task: Decided | null }>()
  const hold = (vm: ActualVm | undefined, task: Decided | null) => {
    if (!vm) return
    for (const { address } of vm.attributes.networks) holders.set(address, { vm, task })
  }
  for (const instance of obsolete) hold(vms.get(instance.cid ?? ''), null)
  for (const spare of spares) hold(spare, null)
  for (const task of moved) hold(vms.get(task.old?.cid ?? ''), task)

  for (const task of makes) {
    for (const { address } of task.vm.networks) {
      const holder = holders.get(address)
      if (!holder || holder.task === task) continue
      waitsFor.set(task, [...(waitsFor.get(task) ?? []), holder.vm.cid])
      if (holder.task) pairs.push([task, holder.task])
      else early.add(holder.vm.cid)
    }
  }
  return { early, waitsFor, leaders: leadersOf(pairs, tasks) }
}

export function needsNewVm({ how }: Pick<Decided, 'how'>): boolean {
  return how === 'create' || how === 'recreate' || how === 'swap'
}

/** Of those that are paired, directly or through others, the one that comes first in the plan leads. */
function leadersOf(pairs: readonly [Decided, Decided][], tasks: readonly Decided[]): Map<Decided, Decided> {
  if (pairs.length === 0) return new Map()
  const position = new Map(tasks.map((task, at) => [task, at]))
  const leader = new Map<Decided, Decided>()
  const top = (task: Decided) => {
    let found = task
    for (let next = leader.get(found); next; next = leader.get(found)) found = next
    return found
  }
  for (const [a, b] of pairs) {
    const [left, right] = [top(a), top(b)]
    if (left === right) continue
    const leftFirst = position.get(left)! < position.get(right)!
    leader.set(leftFirst ? right : left, leftFirst ? left : right)
  }
  return new Map(pairs.flat().map((task) => [task, top(task)]))
}
