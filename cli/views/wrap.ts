import { width } from './style.ts'

/** A continuation stands so far behind the beginning of its line. */
const hanging = 4
/** A column narrower than this is no use; a line is then broken by the terminal. */
const narrowest = 20

/**
 * A line as lines of at most `columns`, broken between words; what follows is indented a little more than the line
 * itself. A word that is longer stays whole, so that addresses and ids can be copied. Colours take no column.
 */
export function wrap(line: string, columns: number): string[] {
  if (columns < narrowest || width(line) <= columns) return [line]
  const indent = /^ */.exec(line)![0]
  const further = ' '.repeat(Math.min(indent.length + hanging, Math.floor(columns / 2)))
  return fill(line.slice(indent.length), columns, indent, further)
}

/** The words of a cell of a table, in lines of at most `columns`. */
export function wrapCell(text: string, columns: number): string[] {
  return width(text) <= columns ? [text] : fill(text, columns, '', '')
}

/** Columns of the longest word of a text: a cell cannot be narrower. */
export function longestWord(text: string): number {
  return Math.max(0, ...text.split(' ').map(width))
}

function fill(text: string, columns: number, first: string, further: string): string[] {
  const lines: string[] = []
  let line = first
  let empty = true
  for (const word of text.split(' ')) {
    const longer = empty ? line + word : `${line} ${word}`
    // Several blanks in a row are empty words: they align columns within a line and are dropped where it is broken.
    if (!empty && word !== '' && width(longer) > columns) {
      lines.push(line.trimEnd())
      line = further + word
    } else line = longer
    empty = false
  }
  return [...lines, line.trimEnd()]
}

/** Columns of a terminal; without end where the stream is none. */
export function columnsOf(stream: NodeJS.WriteStream): number {
  return stream.isTTY ? stream.columns || Number.POSITIVE_INFINITY : Number.POSITIVE_INFINITY
}

/** Text for a stream: each of its lines wrapped to the columns of the terminal, and a line break at the end. */
export function wrapped(text: string, stream: NodeJS.WriteStream): string {
  const columns = columnsOf(stream)
  return `${text
    .split('\n')
    .flatMap((line) => wrap(line, columns))
    .join('\n')}\n`
}
