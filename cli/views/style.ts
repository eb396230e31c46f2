import { stripVTControlCharacters, styleText } from 'node:util'

type Format = Parameters<typeof styleText>[0]

/** Paints text, or leaves it alone where colour is not wanted. */
export interface Style {
  readonly enabled: boolean
  /** Columns of the terminal; without end where it is none, so that a pipe gets whole lines. */
  readonly columns: number
  bold(text: string): string
  dim(text: string): string
  red(text: string): string
  green(text: string): string
  yellow(text: string): string
  magenta(text: string): string
  cyan(text: string): string
}

export function createStyle(enabled: boolean, columns = Number.POSITIVE_INFINITY): Style {
  const paint = (format: Format) => (text: string) =>
    enabled && text !== '' ? styleText(format, text, { validateStream: false }) : text
  return {
    enabled,
    columns,
    bold: paint('bold'),
    dim: paint('dim'),
    red: paint('red'),
    green: paint('green'),
    yellow: paint('yellow'),
    magenta: paint('magenta'),
    cyan: paint('cyan'),
  }
}

/** Columns that a text takes, colours not counted. */
export function width(text: string): number {
  return [...stripVTControlCharacters(text)].length
}

export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - width(text)))
}

export function padStart(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - width(text))) + text
}

/**
 * Text that came from a machine, made safe for a terminal: no escape sequence, no other control character.
 * A job's log could otherwise move the cursor or rename the window of its reader.
 */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  return stripVTControlCharacters(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '')
}

/**
 * The same line with every character that a terminal would obey or that reorders text (bidirectional controls) written
 * out: `ESC` as `␛`, U+202E as `<U+202E>`. Colours stay where `coloured`; line breaks and tabs stay in any case.
 */
export function visible(line: string, coloured: boolean): string {
  return line.replace(commanding, (found) => {
    if (found.length > 1) return coloured ? found : `␛${found.slice(1)}`
    const code = found.codePointAt(0)!
    if (code < 0x20) return String.fromCodePoint(0x2400 + code)
    return code === 0x7f ? '␡' : `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`
  })
}

/** A colour of `styleText`, or any one control character but tab and line break, or a character that reorders text. */
const commanding = new RegExp(`${String.fromCharCode(0x1b)}\\[[0-9;]*m|[^\\P{Cc}\\t\\n]|\\p{Bidi_Control}`, 'gu')

/** Cuts a styled line to a number of columns, so that a redrawn block never wraps. */
export function cut(line: string, columns: number): string {
  if (width(line) <= columns) return line
  let left = Math.max(0, columns - 1)
  let full = false
  let result = ''
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour sequences take no column
  for (const part of line.split(/(\u001b\[[0-9;]*m)/)) {
    const characters = [...part]
    if (part.startsWith('\u001b')) result += part
    else if (!full && characters.length <= left) {
      result += part
      left -= characters.length
    } else if (!full) {
      result += `${characters.slice(0, left).join('')}…`
      full = true
    }
  }
  return result
}
