import { createHash } from 'node:crypto'

/**
 * JSON with sorted keys and without `undefined`: equal values give equal text, on every machine. Keys that are array
 * indexes go first, by number, as JavaScript keeps them.
 */
export function canonical(value: unknown): string {
  return JSON.stringify(ordered(value))
}

/** `sha256:<hex>` over the canonical JSON of a value. */
export function digestOf(value: unknown): string {
  return sha256(canonical(value))
}

/** Digest of a long list: its items' canonical JSON by lines, which is quicker than one deep value. */
export function digestOfList(list: readonly unknown[]): string {
  return sha256(list.map(canonical).join('\n'))
}

/**
 * The value with the keys of all objects in it in order; itself where they are already. Writing the text is left to
 * `JSON.stringify`, which does it many times faster than code of ours.
 */
function ordered(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value
  const fields = value as Record<string, unknown>
  const keys = Object.keys(fields)
  if (!Array.isArray(value) && !inOrder(keys)) return rearranged(fields, keys.sort())
  let changed: Record<string, unknown> | null = null
  for (const key of keys) {
    const field = fields[key]
    const same = ordered(field)
    if (same === field) continue
    changed ??= (Array.isArray(value) ? [...value] : { ...fields }) as Record<string, unknown>
    changed[key] = same
  }
  return changed ?? value
}

function rearranged(fields: Record<string, unknown>, keys: readonly string[]): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  for (const key of keys) {
    // Assigning to it would set the prototype.
    if (key === '__proto__') Object.defineProperty(copy, key, { value: ordered(fields[key]), enumerable: true })
    else copy[key] = ordered(fields[key])
  }
  return copy
}

function inOrder(keys: readonly string[]): boolean {
  for (let i = 1; i < keys.length; i++) if (keys[i - 1]! > keys[i]!) return false
  return true
}

function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}
