import type { ReleaseJob } from '../../../../shared/release/release.ts'

type Nested = Record<string, unknown>

/**
 * What a job's templates see: only what its spec defines, the manifest's value or else the default. A null in the
 * manifest counts as not given, as in BOSH; a property without either is absent, so that the renderer can name it. Maps
 * are in the order of their keys, so that another order in the manifest is no change.
 */
export function effectiveProperties(job: ReleaseJob, given: Nested): Nested {
  const effective: Nested = {}
  for (const [name, definition] of Object.entries(job.properties).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const value = lookUp(given, name) ?? definition.default
    if (value !== undefined) put(effective, name, inOrder(value))
  }
  return effective
}

/** What is given where the spec defines properties below: a text for `db`, of which the spec knows `db.host`. */
export function misplacedProperties(
  job: ReleaseJob,
  given: Nested,
): { path: string[]; names: string[]; found: string }[] {
  const misplaced = new Map<string, { path: string[]; names: string[]; found: string }>()
  for (const name of Object.keys(job.properties).sort()) {
    const parts = name.split('.')
    let value: unknown = given
    for (const [depth, part] of parts.slice(0, -1).entries()) {
      value = isNested(value) && Object.hasOwn(value, part) ? value[part] : undefined
      if (value === undefined || value === null) break
      if (isNested(value)) continue
      const path = parts.slice(0, depth + 1)
      const at = misplaced.get(path.join('.')) ?? {
        path,
        names: [],
        found: Array.isArray(value) ? 'a list' : `a ${typeof value === 'string' ? 'text' : typeof value}`,
      }
      at.names.push(name)
      misplaced.set(path.join('.'), at)
      break
    }
  }
  return [...misplaced.values()]
}

/** Maps by their keys, through maps but not through lists, as BOSH sorts them. */
export function inOrder(value: unknown): unknown {
  if (!isNested(value)) return value
  const sorted: Nested = {}
  for (const key of Object.keys(value).sort()) set(sorted, key, inOrder(value[key]))
  return sorted
}

/** The part of a provider's properties that its link shows. */
export function pickProperties(properties: Nested, names: readonly string[]): Nested {
  const picked: Nested = {}
  for (const name of names) {
    const value = lookUp(properties, name)
    if (value !== undefined) put(picked, name, value)
  }
  return picked
}

/** The value of a dotted name; null is undefined. */
function lookUp(properties: Nested, name: string): unknown {
  let value: unknown = properties
  for (const part of name.split('.')) {
    if (!isNested(value) || !Object.hasOwn(value, part)) return undefined
    value = value[part]
  }
  return value ?? undefined
}

function put(properties: Nested, name: string, value: unknown): void {
  const parts = name.split('.')
  const last = parts.pop() ?? name
  let inner = properties
  for (const part of parts) {
    const next = inner[part]
    // Copied on the way down: a parent may be the user's own object.
    const copy = isNested(next) ? { ...next } : {}
    set(inner, part, copy)
    inner = copy
  }
  set(inner, last, value)
}

/** As an own property even where the name is `__proto__`. */
function set(object: Nested, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
}

/** Deep merge of maps, right over left; the legacy `properties` of deployment and group. */
export function deepMerge(under: Nested, over: Nested): Nested {
  const merged: Nested = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const old = Object.hasOwn(merged, key) ? merged[key] : undefined
    set(merged, key, isNested(old) && isNested(value) ? deepMerge(old, value) : value)
  }
  return merged
}

function isNested(value: unknown): value is Nested {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
