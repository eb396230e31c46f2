import type { Path, SourceDocument } from '../../../../shared/source/document.ts'

/** As a number may be written: the server reads 0600 as octal and 1e3 as a thousand. */
const number = /^[-+]?[0-9][0-9_a-z.+-]*$/i

/** Settings as text. A number keeps the text that it has in the document, which is what PostgreSQL is to read. */
export function textsOf(
  document: SourceDocument,
  path: Path,
  settings: Readonly<Record<string, string | number | boolean>>,
): Record<string, string> {
  const entries = Object.entries(settings).map(([name, value]): [string, string] => {
    if (typeof value === 'boolean') return [name, value ? 'on' : 'off']
    return [name, typeof value === 'number' ? (written(document, [...path, name]) ?? String(value)) : value]
  })
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The text behind the key in its line; undefined where the value is elsewhere: an alias, another line. */
function written(document: SourceDocument, path: Path): string | undefined {
  const { line, column } = document.locate(path)
  const text = document.text.split('\n')[line - 1]?.slice(column - 1) ?? ''
  const name = String(path.at(-1)).replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const value = new RegExp(`^["']?${name}["']?\\s*:\\s*([^\\s,}#]+)`).exec(text)?.[1]
  return value !== undefined && number.test(value) ? value : undefined
}
