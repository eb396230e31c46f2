import { isAlias, isMap, isNode, isPair, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import { yamlRules } from './scalars.ts'
import { yamlWords } from './yaml-words.ts'

/**
 * Where one part of a document begins, as an offset into its text, and its parts by key or index. `written`: the text
 * of a scalar that means something else than its text, `2.10` for example.
 */
export interface Position {
  at: number
  parts?: Map<string, Position>
  written?: string
}

/** A fault of the text itself: 1-based line and column. */
export interface TextFault {
  line: number
  column: number
  message: string
}

/** A document that was read: plain data, where each part of it begins, and where the lines begin. */
export interface Tree {
  value: unknown
  root: Position
  lineStarts: number[]
  faults: TextFault[]
}

/** Faults of one text that are reported; more of them help no reader. */
const faultsTold = 100
const aliasesFollowed = 1000

/**
 * Reads YAML in time that is linear in the text. The parser compares the keys of a map pairwise when it looks for equal
 * ones (40,000 keys take a minute), so equal keys are looked for here.
 */
export function readTree(text: string): Tree {
  const lines = new LineCounter()
  const parsed = parseDocument(text, { ...yamlRules, lineCounter: lines, prettyErrors: false })
  const locate = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  const faults = parsed.errors
    .slice(0, faultsTold)
    .map((error): TextFault => ({ ...locate(error.pos[0]), message: yamlWords(error) }))
  const tree: Tree = { value: undefined, root: { at: 0 }, lineStarts: lines.lineStarts, faults }
  if (faults.length > 0) return tree
  const tell = (offset: number, message: string) => {
    if (faults.length < faultsTold) faults.push({ ...locate(offset), message })
  }
  tree.root = positionsOf(parsed.contents, {
    twice: (offset, key, first) => tell(offset, `the key "${key}" is there already, in line ${locate(first).line}`),
    nameless: (offset, alias) => tell(offset, `the alias *${alias} names nothing that stands before it`),
    named: new Map(),
  })
  if (faults.length > 0) return tree
  try {
    tree.value = parsed.toJS({ maxAliasCount: aliasesFollowed })
  } catch {
    faults.push({ ...locate(0), message: `its aliases stand for more than ${aliasesFollowed} times what they name` })
  }
  return tree
}

/** Line and column, both 1-based, of an offset. */
export function lineOf(lineStarts: readonly number[], offset: number): { line: number; column: number } {
  let [low, high] = [0, lineStarts.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (lineStarts[middle]! <= offset) low = middle + 1
    else high = middle
  }
  return low === 0 ? { line: 1, column: offset + 1 } : { line: low, column: offset - lineStarts[low - 1]! + 1 }
}

interface Search {
  /** Hears of each key that its map has already. */
  twice(offset: number, key: string, first: number): void
  /** Hears of each alias that names nothing. */
  nameless(offset: number, alias: string): void
  /** By anchor: what aliases name is searched once, however often they do. */
  named: Map<string, Position>
}

/** The beginnings of all parts. */

function positionsOf(node: unknown, search: Search): Position {
  if (isAlias(node)) {
    const at = node.range?.[0] ?? 0
    const named = search.named.get(node.source)
    if (!named) search.nameless(at, node.source)
    // A part that is there by an alias begins where the alias is, and its own parts where they are written.
    return { ...named, at }
  }
  const position: Position = { at: isNode(node) ? (node.range?.[0] ?? 0) : 0 }
  if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor) search.named.set(node.anchor, position)
  if (isMap(node)) {
    const seen = new Map<unknown, number>()
    const merged: Position[] = []
    const parts = new Map<string, Position>()
    for (const item of node.items) {
      if (!isPair(item) || !isScalar(item.key)) continue
      const at = item.key.range?.[0] ?? position.at
      const key = item.key.value
      const first = seen.get(key)
      if (first !== undefined) search.twice(at, String(key), first)
      else seen.set(key, at)
      const inside = positionsOf(item.value, search)
      // A merge key is a symbol of its own: several of them in one map are several merges.
      if (typeof key === 'symbol') merged.push(...(isSeq(item.value) ? (inside.parts?.values() ?? []) : [inside]))
      const name = String(key)
      if (!parts.has(name)) parts.set(name, { ...inside, at })
    }
    for (const { parts: given } of merged)
      for (const [name, part] of given ?? []) if (!parts.has(name)) parts.set(name, part)
    position.parts = parts
  } else if (isSeq(node)) {
    position.parts = new Map(node.items.map((item, i) => [String(i), positionsOf(item, search)] as const))
  } else if (isScalar(node) && node.source !== undefined && node.value !== null && typeof node.value !== 'string') {
    position.written = node.source
  }
  return position
}
