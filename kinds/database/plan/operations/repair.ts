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
export function repairSteps({ places, start, end, lost, resting }: Journey, primaries: ReadonlySet<string>): Step[] {
  const standing = new Set([...start.places, ...places.bind(resting).places])
  const endAt = new Map(end.places.map((place, index) => [place, end.resources[index]!]))

  /** These and all they rest on that does not stand, as they will stand. */
  const withFoundations = (from: Iterable<number>): Set<number> => {
    const needed = new Set(from)
    for (const place of needed) {
      for (const dependency of endAt.get(place)?.dependencies ?? []) {
        const below = places.of(dependency)
        if (!standing.has(below) && endAt.has(below)) needed.add(below)
      }
    }
    return needed
  }
  const isPrimary = ({ identifier }: ResourceData) =>
    identifier.type === 'database.instance' && primaries.has(identifier.id)

  const first = withFoundations([...lost].filter(([, resource]) => isPrimary(resource)).map(([place]) => place))
  const second = [...withFoundations(lost.keys())].filter((place) => !first.has(place))
  const awaits: Identifier[] = second.map((place) => endAt.get(place)!.identifier)
  const step = (verb: string, from: Iterable<number>): Step => ({
    verb,
    parts: [],
    resources: [...from].map((place) => endAt.get(place)!),
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
  const { places, start, resting, lost } = path
  const known = new Set([...start.places, ...places.bind(resting).places, ...lost.keys()])
  const stands = (dependency: Identifier) => known.has(places.of(dependency))
  let found = false
  const resources = start.resources.map((resource) => {
    if (!resource.pending_deletion || (resource.dependencies ?? []).every(stands)) return resource
    found = true
    return { ...resource, dependencies: resource.dependencies!.filter(stands) }
  })
  return found ? { ...path, start: { places: start.places, resources } } : undefined
}
