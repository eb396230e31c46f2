import { type Fault, RemodelError } from '../../../shared/runtime/errors.ts'

/** Properties of a job as its `job.MF` declares them: dotted name -> definition. */
export type PropertyDefinitions = Readonly<Record<string, { readonly default?: unknown }>>

type Hash = Record<string, unknown>

/**
 * What a job may see of the properties it was given: those it declares, in the order of declaration, the default where
 * nothing (or null) is given, null where there is no default either. Hashes inside are sorted by key, through hashes
 * but not through lists. Undeclared properties vanish. The rules are BOSH's (cases `defaults/*`).
 *
 * Throws `invalid-input` with a fault per property whose way leads through something that is no hash.
 */
export function bindProperties(definitions: PropertyDefinitions, given: unknown): Hash {
  const bound: Hash = {}
  const faults: Fault[] = []
  for (const [name, definition] of Object.entries(definitions)) {
    const keys = name.split('.')
    const found = lookUp(given, keys)
    if ('wrong' in found) {
      faults.push({
        path: name,
        message: `Property '${name}' expects a hash, but received '${rubyClass(found.wrong)}'`,
      })
    } else if (!place(bound, keys, sorted(found.value ?? definition.default ?? null))) {
      faults.push({ path: name, message: `Property '${name}' is declared below a property that is not a hash` })
    }
  }
  if (faults.length === 0) return bound
  throw new RemodelError('invalid-input', faults.map((fault) => fault.message).join('; '), { faults })
}

function lookUp(given: unknown, keys: readonly string[]): { value: unknown } | { wrong: unknown } {
  let here = given
  for (const key of keys) {
    if (here === null || here === undefined) return { value: undefined }
    if (!isHash(here)) return { wrong: here }
    here = Object.hasOwn(here, key) ? here[key] : undefined
  }
  return { value: here }
}

function place(bound: Hash, keys: readonly string[], value: unknown): boolean {
  let here = bound
  for (const key of keys.slice(0, -1)) {
    here[key] ??= {}
    const next = here[key]
    if (!isHash(next)) return false
    here = next
  }
  here[keys.at(-1)!] = value
  return true
}

/** Also a copy: what is bound later must not change the definition's default. */
function sorted(value: unknown): unknown {
  if (!isHash(value)) return value
  const keys = Object.keys(value).sort((a, b) => (a < b ? -1 : 1))
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key])]))
}

function isHash(value: unknown): value is Hash {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

/** The word that people know from BOSH's message. */
function rubyClass(value: unknown): string {
  if (Array.isArray(value)) return 'Array'
  if (typeof value === 'boolean') return value ? 'TrueClass' : 'FalseClass'
  if (typeof value === 'number') return Number.isInteger(value) ? 'Integer' : 'Float'
  return 'String'
}
