import { isMap, isNode, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'

/** Where one part of a document begins, as an offset into its text, and its parts by key or index. */
export interface Position {
  at: number
  parts?: Map<string, Position>
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
  const parsed = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true, uniqueKeys: false })
  const locate = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  const faults = parsed.errors
    .slice(0, faultsTold)
    .map((error): TextFault => ({ ...locate(error.pos[0]), message: error.message }))
  const tree: Tree = { value: undefined, root: { at: 0 }, lineStarts: lines.lineStarts, faults }
  if (faults.length > 0) return tree
  tree.root = positionsOf(parsed.contents as Node | null, (offset, key, first) => {
    if (faults.length >= faultsTold) return
    faults.push({ ...locate(offset), message: `the key "${key}" is there already, in line ${locate(first).line}` })
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

/** The beginnings of all parts; `twice` hears of each key that its map has already. */
function positionsOf(node: Node | null, twice: (offset: number, key: string, first: number) => void): Position {
  const position: Position = { at: node?.range?.[0] ?? 0 }
  if (isMap(node)) {
    const seen = new Map<unknown, number>()
    position.parts = new Map()
    for (const item of node.items) {
      if (!isPair(item) || !isScalar(item.key)) continue
      const at = item.key.range?.[0] ?? position.at
      const key = item.key.value
      const first = seen.get(key)
      // Several merge keys in one map are several merges.
      if (first !== undefined && key !== '<<') twice(at, String(key), first)
      else seen.set(key, at)
      const inside = positionsOf(isNode(item.value) ? item.value : null, twice)
      const name = String(key)
      if (!position.parts.has(name)) position.parts.set(name, { ...inside, at })
    }
  } else if (isSeq(node)) {
    position.parts = new Map(
      node.items.flatMap((item, i) => (isNode(item) ? [[String(i), positionsOf(item, twice)] as const] : [])),
    )
  }
  return position
}
