import type { Identifier, ResourceData } from './resource.ts'
import type { Journey } from './sequence.ts'
import type { Step } from './step.ts'

/**
 * Steps that bring back what is lost, ahead of everything else: first the primaries with what they rest on, then the
 * rest, so that a replica has a primary to copy. `primaries` are the ids of the instances that take writes.
 *
 * The reference has no such steps: there a lost resource that comes back in a later step than the first one resting on
 * it refuses the whole update (`missing_dependency`), so one stopped instance blocks its database.
 */
export function repairSteps({ vertices, start, end, lost, resting }: Journey, primaries: ReadonlySet<string>): Step[] {
  const actual = new Set([...start.vertices, ...vertices.bind(resting).vertices])
  const endAt = new Map(end.vertices.map((vertex, index) => [vertex, end.resources[index]!]))

  /** These and all they rest on that does not stand, as they will stand. */
  const withFoundations = (from: Iterable<number>): Set<number> => {
    const needed = new Set(from)
    for (const vertex of needed) {
      for (const dependency of endAt.get(vertex)?.dependencies ?? []) {
        const below = vertices.of(dependency)
        if (!actual.has(below) && endAt.has(below)) needed.add(below)
      }
    }
    return needed
  }
  const isPrimary = ({ identifier }: ResourceData) =>
    identifier.type === 'database.instance' && primaries.has(identifier.id)

  const first = withFoundations([...lost].filter(([, resource]) => isPrimary(resource)).map(([vertex]) => vertex))
  const second = [...withFoundations(lost.keys())].filter((vertex) => !first.has(vertex))
  const awaits: Identifier[] = second.map((vertex) => endAt.get(vertex)!.identifier)
  const step = (verb: string, from: Iterable<number>): Step => ({
    verb,
    parts: [],
    resources: [...from].map((vertex) => endAt.get(vertex)!),
  })
  return [
    ...(first.size > 0 ? [{ ...step('bring back lost primaries', first), awaits }] : []),
    ...(second.length > 0 ? [step('bring back what is lost', second)] : []),
  ]
}

/**
 * The journey without dependencies of what is to be deleted on what is gone already: an earlier update was cut off
 * while it deleted, and had found an order in which that was right. Undefined where there is none.
 */
export function withoutDangling(path: Journey): Journey | undefined {
  const { vertices, start, resting, lost } = path
  const known = new Set([...start.vertices, ...vertices.bind(resting).vertices, ...lost.keys()])
  const exists = (dependency: Identifier) => known.has(vertices.of(dependency))
  let found = false
  const resources = start.resources.map((resource) => {
    if (!resource.pending_deletion || (resource.dependencies ?? []).every(exists)) return resource
    found = true
    return { ...resource, dependencies: resource.dependencies!.filter(exists) }
  })
  return found ? { ...path, start: { vertices: start.vertices, resources } } : undefined
}
