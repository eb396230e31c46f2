import type { Json, JsonObject, PatchStep } from './resource.ts'

/**
 * The RFC 6902 patch that turns `current` into `desired`, or null when they are equal outside the ignored pointers.
 *
 * The order of the steps is fixed: object keys in code unit order; of an array first one `remove` per surplus element,
 * all at the index where the shorter one ends, then the changed elements, then one `add` at `-` per new element. A
 * value of another kind is replaced whole. An ignored pointer matches one exact path (and what lies below it); one
 * without a leading slash matches nothing, as in the reference.
 */
export function jsonDiff(
  current: Json,
  desired: Json,
  ignore: readonly string[] | null | undefined,
): PatchStep[] | null {
  if (sameJson(current, desired)) return null
  const steps: PatchStep[] = []
  compare([current, desired], '', new Set(ignore ?? []), steps)
  return steps.length === 0 ? null : steps
}

/** Deep equality of two JSON values; the order of object keys does not count. */
export function sameJson(a: Json, b: Json): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (isArray(a)) {
    if (!isArray(b) || a.length !== b.length) return false
    for (let index = 0; index < a.length; index++) if (!sameJson(a[index]!, b[index]!)) return false
    return true
  }
  if (isArray(b)) return false
  let keys = 0
  for (const key in a) {
    const other = b[key]
    if (other === undefined || !sameJson(a[key]!, other)) return false
    keys++
  }
  for (const _key in b) keys--
  return keys === 0
}

type Pair<Value> = readonly [current: Value, desired: Value]

function compare([current, desired]: Pair<Json>, path: string, ignore: ReadonlySet<string>, steps: PatchStep[]): void {
  if (ignore.has(path) || sameJson(current, desired)) return
  if (isObject(current) && isObject(desired)) compareObjects([current, desired], path, ignore, steps)
  else if (isArray(current) && isArray(desired)) compareArrays([current, desired], path, ignore, steps)
  else steps.push({ value: desired, op: 'replace', path })
}

function compareObjects(
  [current, desired]: Pair<JsonObject>,
  path: string,
  ignore: ReadonlySet<string>,
  steps: PatchStep[],
): void {
  const keys = new Set([...Object.keys(current), ...Object.keys(desired)])
  for (const key of [...keys].sort(byCodeUnit)) {
    const at = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    const before = Object.hasOwn(current, key) ? current[key] : undefined
    const after = Object.hasOwn(desired, key) ? desired[key] : undefined
    if (before !== undefined && after !== undefined) compare([before, after], at, ignore, steps)
    else if (ignore.has(at)) continue
    else if (after === undefined) steps.push({ op: 'remove', path: at })
    else steps.push({ value: after, op: 'add', path: at })
  }
}

function compareArrays(
  [current, desired]: Pair<readonly Json[]>,
  path: string,
  ignore: ReadonlySet<string>,
  steps: PatchStep[],
): void {
  const common = Math.min(current.length, desired.length)
  for (let index = common; index < current.length; index++) steps.push({ op: 'remove', path: `${path}/${common}` })
  for (let index = 0; index < common; index++) {
    compare([current[index]!, desired[index]!], `${path}/${index}`, ignore, steps)
  }
  for (const value of desired.slice(common)) steps.push({ value, op: 'add', path: `${path}/-` })
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
