import { type Fault, RemodelError } from '../runtime/errors.ts'
import { byteOrder } from './fingerprint.ts'

/** What the graph of a release is made of. */
export interface GraphNode {
  name: string
  dependencies: readonly string[]
}

/** The packages of a release in their order of compilation. */
export interface PackageGraph {
  /** Every package after all it needs; among equals in byte order of names. */
  order: readonly string[]
  /** Everything that a package needs, directly or not, in `order`; not the package itself. Throws `not-found`. */
  closure(name: string): readonly string[]
}

/**
 * Orders the packages of a release (compiled ones too). Pure. Throws `invalid-input`, with a fault for each, where a
 * dependency is unknown or packages need each other in a circle; the fault names the circle: `a -> b -> a`.
 */
export function packageGraph(release: {
  packages: readonly GraphNode[]
  compiledPackages?: readonly GraphNode[] | undefined
}): PackageGraph {
  const nodes = new Map([...release.packages, ...(release.compiledPackages ?? [])].map((node) => [node.name, node]))
  const faults: Fault[] = []
  const waiting = new Map<string, Set<string>>()
  const dependants = new Map<string, string[]>()
  for (const node of nodes.values()) {
    const needs = new Set(node.dependencies)
    for (const name of needs) {
      if (!nodes.has(name))
        faults.push({ message: `package ${node.name} needs package ${name}, which the release does not have` })
      dependants.set(name, [...(dependants.get(name) ?? []), node.name])
    }
    waiting.set(node.name, needs)
  }
  if (faults.length > 0)
    throw new RemodelError('invalid-input', 'a package needs one that the release does not have', { faults })

  const order: string[] = []
  let ready = [...nodes.keys()].filter((name) => waiting.get(name)!.size === 0)
  while (ready.length > 0) {
    const next: string[] = []
    for (const name of ready.sort(byteOrder)) {
      order.push(name)
      waiting.delete(name)
      for (const dependant of dependants.get(name) ?? []) {
        const needs = waiting.get(dependant)!
        if (needs.delete(name) && needs.size === 0) next.push(dependant)
      }
    }
    ready = next
  }
  const cycle = findCycle(waiting)
  if (cycle) {
    const message = `packages need each other in a circle: ${cycle.join(' -> ')}`
    throw new RemodelError('invalid-input', message, { faults: [{ message }], details: { cycle } })
  }
  return { order, closure: (name) => closureOf(name, nodes, order) }
}

/** A circle among packages that each wait for another one; the last name is the first again. */
export function findCycle(waiting: ReadonlyMap<string, ReadonlySet<string>>): string[] | null {
  const first = [...waiting.keys()].sort(byteOrder)[0]
  if (first === undefined) return null
  const path: string[] = []
  const seen = new Map<string, number>()
  for (let name = first; ; name = [...waiting.get(name)!].filter((need) => waiting.has(need)).sort(byteOrder)[0]!) {
    const at = seen.get(name)
    if (at !== undefined) return [...path.slice(at), name]
    seen.set(name, path.length)
    path.push(name)
  }
}

function closureOf(name: string, nodes: ReadonlyMap<string, GraphNode>, order: readonly string[]): string[] {
  if (!nodes.has(name)) throw new RemodelError('not-found', `the release has no package ${name}`, { details: { name } })
  const reached = new Set<string>()
  const open = [name]
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    for (const need of nodes.get(one)!.dependencies) {
      if (!reached.has(need)) {
        reached.add(need)
        open.push(need)
      }
    }
  }
  return order.filter((one) => reached.has(one))
}
