import { padEnd, type Style, width } from './style.ts'
import { longestWord, wrapCell } from './wrap.ts'

const gap = 2

/**
 * A table as lines: headings, then rows, columns as wide as their widest cell. A cell may hold several lines. Nothing
 * is cut: a pipe must get whole ids. On a terminal that is too narrow cells are wrapped at words, the widest column
 * first; where words alone are too wide, each row becomes a paragraph of `heading: cell`.
 */
export function table(style: Style, headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const natural = headings.map((heading, column) =>
    Math.max(width(heading), ...rows.flatMap((row) => (row[column] ?? '').split('\n').map(width))),
  )
  const least = headings.map((heading, column) =>
    Math.max(width(heading), ...rows.flatMap((row) => (row[column] ?? '').split('\n').map(longestWord))),
  )
  const widths = shrunk(natural, least, style.columns)
  if (widths === undefined) return paragraphs(style, headings, rows)
  const cells = rows.map((row) =>
    row.map((cell, column) => cell.split('\n').flatMap((text) => wrapCell(text, widths[column] ?? 0))),
  )
  const line = (parts: readonly string[]) =>
    parts
      .map((part, column) => padEnd(part, widths[column] ?? 0))
      .join(' '.repeat(gap))
      .trimEnd()
  return [
    line(headings.map((heading) => style.bold(heading))),
    ...cells.flatMap((row) => {
      const height = Math.max(1, ...row.map((cell) => cell.length))
      return Array.from({ length: height }, (_, index) => line(row.map((cell) => cell[index] ?? '')))
    }),
  ]
}

/** Widths that fit, none below its least; undefined where there are none. */
function shrunk(natural: readonly number[], least: readonly number[], columns: number): number[] | undefined {
  const total = (widths: readonly number[]) => widths.reduce((sum, one) => sum + one + gap, -gap)
  if (total(natural) <= columns) return [...natural]
  if (total(least) > columns) return undefined
  const widths = [...natural]
  while (total(widths) > columns) {
    const spare = widths.map((one, column) => (one > least[column]! ? one : -1))
    widths[spare.indexOf(Math.max(...spare))]!--
  }
  return widths
}

/**
 * An empty cell is left out. A row that is indented belongs to the one above it and has columns of
 * its own: it is one line.
 */
function paragraphs(style: Style, headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const names = Math.max(...headings.map(width))
  const lines = rows.flatMap((row) => {
    if (row[0]?.startsWith(' ')) return [row.filter(Boolean).join(' '.repeat(gap))]
    const told = row.flatMap((cell, column) =>
      cell === ''
        ? []
        : cell.split('\n').map((text, part) => [part === 0 ? (headings[column] ?? '') : '', text] as const),
    )
    return ['', ...told.map(([heading, text]) => `${padEnd(style.bold(heading), names)}${' '.repeat(gap)}${text}`)]
  })
  return lines.slice(1)
}

/** `1 instance`, `2 instances`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}
