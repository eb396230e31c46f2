import type { z } from 'zod'
import type { Path } from './document.ts'

type Collection = Record<string | number, unknown>

/** The paths at which a schema wanted a text and found none; of a union, those of all its alternatives. */
export function textsMeant(issues: readonly z.core.$ZodIssue[], parent: Path): Path[] {
  return issues.flatMap((issue) => {
    const path = [...parent, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))]
    if (issue.code === 'invalid_union') return issue.errors.flatMap((inner) => textsMeant(inner, path))
    return issue.code === 'invalid_type' && issue.expected === 'string' ? [path] : []
  })
}

export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, part) => (isCollection(inner) && Object.hasOwn(inner, part) ? inner[part] : undefined),
    value,
  )
}

/** A copy with these texts in it; what holds none of them is shared with the original. */
export function withTexts(value: unknown, texts: readonly { path: Path; text: string }[], depth = 0): unknown {
  const here = texts.find(({ path }) => path.length === depth)
  if (here) return here.text
  if (!isCollection(value)) return value
  const copy: Collection = Array.isArray(value) ? ([...value] as unknown as Collection) : { ...value }
  for (const [key, inner] of Map.groupBy(texts, ({ path }) => path[depth]!)) {
    Object.defineProperty(copy, key, {
      value: withTexts(copy[key], inner, depth + 1),
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return copy
}

function isCollection(value: unknown): value is Collection {
  return value !== null && typeof value === 'object'
}
