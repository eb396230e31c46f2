import { sameJson } from './jsondiff.ts'
import type { ResourceData } from './resource.ts'

/** Equal in everything. Field by field: it is asked of every link of a state, so it must cost next to nothing. */
export function sameResource(a: ResourceData, b: ResourceData): boolean {
  return (
    a.identifier.id === b.identifier.id &&
    a.identifier.type === b.identifier.type &&
    a.executor.id === b.executor.id &&
    a.executor.type === b.executor.type &&
    a.needs_recreate === b.needs_recreate &&
    a.pending_deletion === b.pending_deletion &&
    a.error === b.error &&
    a.resource_version === b.resource_version &&
    sameEdges(a, b) &&
    sameList(a.diff_ignore, b.diff_ignore, (one, other) => one === other) &&
    sameJson(a.attributes, b.attributes)
  )
}

/** Resting on the same, in the same order; an absent list is an empty one. */
export function sameEdges(a: ResourceData, b: ResourceData): boolean {
  return (
    sameList(a.dependencies, b.dependencies, (one, other) => one.id === other.id && one.type === other.type) &&
    sameList(a.type_dependencies, b.type_dependencies, (one, other) => one === other)
  )
}

function sameList<T>(a: readonly T[] | null, b: readonly T[] | null, same: (one: T, other: T) => boolean): boolean {
  if (a === b) return true
  const length = a?.length ?? 0
  if (length !== (b?.length ?? 0)) return false
  for (let index = 0; index < length; index++) if (!same(a![index]!, b![index]!)) return false
  return true
}
