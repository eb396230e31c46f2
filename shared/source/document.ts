import levenshtein from 'fastest-levenshtein'
import type { z } from 'zod'
import { type Fault, RemodelError } from '../runtime/errors.ts'
import { schemaWords, typeWords } from './schema-words.ts'
import { textsMeant, valueAt, withTexts } from './texts.ts'
import { lineOf, type Position, readTree, type Tree } from './tree.ts'

/** A path into a document: keys and indexes. */
export type Path = readonly (string | number)[]

/**
 * A YAML or JSON file of the user's that remembers where everything stood, so that every fault can name file and line.
 * `value` is plain data.
 */
export class SourceDocument {
  readonly file: string
  readonly text: string
  readonly value: unknown
  readonly #tree: Tree

  /** Throws `invalid-input` where the text is not YAML, naming the line. `tree`: the same text, read already. */
  constructor(file: string, text: string, tree: Tree = readTree(text)) {
    this.file = file
    this.text = text
    this.#tree = tree
    if (tree.faults.length > 0) throw invalidInput(tree.faults.map((fault) => ({ file, ...fault })))
    this.value = tree.value
  }

  /** A fault at `path`; the nearest existing parent gives the line where the path itself does not exist. */
  fault(path: Path, message: string, more: Partial<Fault> = {}): Fault {
    const { line, column } = this.locate(path)
    return { file: this.file, line, column, path: formatPath(path), message, ...more }
  }

  /** Line and column (1-based) of the deepest part of `path` that exists. */
  locate(path: Path): { line: number; column: number } {
    let position = this.#tree.root
    for (const part of path) {
      const inside = position.parts?.get(String(part))
      if (!inside) break
      position = inside
    }
    return lineOf(this.#tree.lineStarts, position.at)
  }

  /** A scalar as it is written, where a text is meant: `2.10` and not 2.1. Undefined where there is none. */
  textAt(path: Path): string | undefined {
    const value = valueAt(this.value, path)
    if (typeof value === 'string') return value
    let position: Position | undefined = this.#tree.root
    for (const part of path) position = position?.parts?.get(String(part))
    return position?.written
  }

  /** Gives the faults of an error that has paths only their file and line. Other errors stay as they are. */
  place(error: unknown): unknown {
    if (!(error instanceof RemodelError) || !error.faults.some(({ file, path }) => file === undefined && path))
      return error
    const { code, message, details } = error
    const faults = error.faults.map(({ file, path, message: what, ...more }): Fault => {
      if (file !== undefined || !path)
        return { ...more, message: what, ...(path ? { path } : {}), ...(file ? { file } : {}) }
      return { ...this.fault(parsePath(path), what), ...more }
    })
    return new RemodelError(code, message, { faults, details, cause: error })
  }

  /**
   * Checks against a schema; throws `invalid-input` with every fault of the document at once. Where the schema wants a
   * text, any scalar is taken as it is written: the version `2.10` is not 2.1, and an AZ may be called `no`.
   */
  parse<Schema extends z.ZodType>(schema: Schema): z.infer<Schema> {
    let value = this.value
    for (;;) {
      const result = schema.safeParse(value, { reportInput: true, error: schemaWords })
      if (result.success) return result.data
      const meant = textsMeant(result.error.issues, []).flatMap((path) => {
        const text = typeof valueAt(value, path) === 'string' ? undefined : this.textAt(path)
        return text === undefined ? [] : [{ path, text }]
      })
      if (meant.length === 0)
        throw invalidInput(schemaFaults(schema, result.error.issues, (...fault) => this.fault(...fault)))
      value = withTexts(value, meant)
    }
  }
}

/** A fault at a path of what was read. */
type FaultAt = (path: Path, message: string, more?: Partial<Fault>) => Fault

/** What a schema found wrong, as faults in our words; `at` says where each is. */
export function schemaFaults(schema: z.ZodType, issues: readonly z.core.$ZodIssue[], at: FaultAt): Fault[] {
  return issues.flatMap((issue) => faultsOf(schema, issue, { parent: [], at }))
}

function faultsOf(schema: z.ZodType, issue: z.core.$ZodIssue, { parent, at }: { parent: Path; at: FaultAt }): Fault[] {
  const path = [...parent, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))]
  if (issue.code === 'unrecognized_keys') {
    const allowed = allowedKeys(schema, path)
    return issue.keys.map((key, i) =>
      at([...path, key], `unknown key "${key}"`, {
        ...(allowed.length > 0 ? { allowed: allowed.join(', ') } : {}),
        ...(i < faultsTold ? suggest(key, allowed) : {}),
      }),
    )
  }
  if (issue.code === 'invalid_union') {
    // The alternative that got furthest is the one the user meant; the others would only be noise.
    const best = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0]
    if (best && depth(best) > 0) return best.flatMap((inner) => faultsOf(schema, inner, { parent: path, at }))
  }
  const more: Partial<Fault> = 'input' in issue ? { found: show(issue.input) } : {}
  if (issue.code === 'invalid_value') {
    const allowed = issue.values.map(String)
    more.allowed = allowed.join(', ')
    if (typeof issue.input === 'string') Object.assign(more, suggest(issue.input, allowed))
  }
  if (issue.code === 'invalid_type') more.allowed = typeWords(issue.expected)
  const missing = issue.code === 'invalid_type' && issue.input === undefined
  if (missing) delete more.found
  return [at(path, missing ? 'is missing' : lowerFirst(issue.message), more)]
}

/** Faults of one file that an error carries; its sentence counts all of them. */
const faultsTold = 100

/** The error for a file with faults: one sentence that counts, the faults themselves beside it. */
export function invalidInput(faults: readonly Fault[]): RemodelError {
  const files = [...new Set(faults.map((fault) => fault.file).filter(Boolean))]
  const where = files.length > 0 ? ` in ${files.join(', ')}` : ''
  const more = faults.length > faultsTold ? `, of which the first ${faultsTold} follow` : ''
  return new RemodelError(
    'invalid-input',
    `${faults.length} fault${faults.length === 1 ? '' : 's'}${where}${more}; nothing was changed`,
    { faults: faults.slice(0, faultsTold) },
  )
}

/** The nearest valid name, where one is near enough to be meant. */
export function suggest(name: string, valid: Iterable<string>): { suggestion?: string } {
  const names = [...valid]
  if (names.length === 0) return {}
  const nearest = levenshtein.closest(name, names)
  return levenshtein.distance(name, nearest) <= Math.max(2, Math.floor(name.length / 3)) ? { suggestion: nearest } : {}
}

/** `a[0].b` -> `['a', 0, 'b']` */
function parsePath(text: string): Path {
  return [...text.matchAll(/\[(\d+)\]|[^.[\]]+/g)].map(([part, index]) => (index === undefined ? part : Number(index)))
}

/** `['a', 0, 'b']` -> `a[0].b` */
export function formatPath(path: Path): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  )
}

/** The keys that the schema allows at `path`, through optionals, arrays, records and the alternatives of a union. */
function allowedKeys(schema: z.ZodType, path: Path): string[] {
  const def = schema.def as unknown as {
    type: string
    innerType?: z.ZodType
    in?: z.ZodType
    element?: z.ZodType
    valueType?: z.ZodType
    shape?: Record<string, z.ZodType>
    options?: z.ZodType[]
  }
  const inner = def.innerType ?? def.in
  if (inner) return allowedKeys(inner, path)
  if (def.options) return [...new Set(def.options.flatMap((option) => allowedKeys(option, path)))]
  const [head, ...rest] = path
  if (head === undefined) return def.shape ? Object.keys(def.shape) : []
  const next = typeof head === 'number' ? def.element : (def.shape?.[head] ?? def.valueType)
  return next ? allowedKeys(next, rest) : []
}

function depth(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(0, ...issues.map((issue) => issue.path.length + (issue.code === 'unrecognized_keys' ? 1 : 0)))
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
