import type { SourceDocument } from '../../../../shared/source/document.ts'
import type { Faults } from './faults.ts'

const placeholder = /\(\(!?[-/.\w]+\)\)/

/**
 * A `((name))` that is still there would be deployed as it is written, as a password for example. So it is a fault.
 * Aliased nodes may be shared, so every object is looked at once.
 */
export function refusePlaceholders(document: SourceDocument, faults: Faults): void {
  const seen = new Set<object>()
  const walk = (value: unknown, path: (string | number)[]): void => {
    if (typeof value === 'string') {
      const found = placeholder.exec(value)
      if (found) faults.add({ document, path: [] }, path, `${found[0]} has no value`, { found: found[0] })
    } else if (value !== null && typeof value === 'object' && !seen.has(value)) {
      seen.add(value)
      if (Array.isArray(value)) for (const [index, item] of value.entries()) walk(item, [...path, index])
      else for (const [key, item] of Object.entries(value)) walk(item, [...path, key])
    }
  }
  walk(document.value, [])
}
