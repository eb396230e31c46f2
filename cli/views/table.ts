import { padEnd, type Style, width } from './style.ts'

/**
 * A table as lines: headings, then rows, columns as wide as their widest cell. A cell may hold several lines.
 * Nothing is cut: a pipe must get whole ids.
 */
export function table(style: Style, headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) => row.map((cell) => cell.split('\n')))
  const widths = headings.map((heading, column) =>
    Math.max(width(heading), ...cells.map((row) => Math.max(0, ...(row[column] ?? []).map(width)))),
  )
  const line = (parts: readonly string[]) =>
    parts
      .map((part, column) => padEnd(part, widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return [
    line(headings.map((heading) => style.bold(heading))),
    ...cells.flatMap((row) => {
      const height = Math.max(1, ...row.map((cell) => cell.length))
      return Array.from({ length: height }, (_, index) => line(row.map((cell) => cell[index] ?? '')))
    }),
  ]
}

/** `1 instance`, `2 instances`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}
