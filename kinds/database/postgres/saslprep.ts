import { tables } from './saslprep-tables.ts'

type Ranges = readonly (readonly [from: number, to: number])[]

const read = (table: string): Ranges =>
  table
    .trim()
    .split(/\s+/)
    .map((range) => {
      const [from = '', to = from] = range.split('-')
      return [Number.parseInt(from, 16), Number.parseInt(to, 16)]
    })

const spaces = read(tables.spaces)
const nothing = read(tables.nothing)
const prohibited = read(tables.prohibited)
const unassigned = read(tables.unassigned)
const rightToLeft = read(tables.rightToLeft)
const leftToRight = read(tables.leftToRight)

const holds = (ranges: Ranges, code: number) => ranges.some(([from, to]) => from <= code && code <= to)

/**
 * A password as PostgreSQL's server and libpq make it for SCRAM: SASLprep, and the password as it is where SASLprep
 * refuses it. Two of their ways are not those of the RFC: ASCII is taken as it is, control characters too, and what is
 * prohibited is looked for in what was written, not in what that is normalized to.
 */
export function saslprep(password: string): string {
  const written = [...password].map((character) => character.codePointAt(0)!)
  if (written.every((code) => code < 0x80)) return password
  const mapped = written.map((code) => (holds(spaces, code) ? 0x20 : code)).filter((code) => !holds(nothing, code))
  if (mapped.length === 0 || mapped.some((code) => holds(prohibited, code) || holds(unassigned, code))) return password
  if (!isOneDirection(mapped)) return password
  return mapped
    .map((code) => String.fromCodePoint(code))
    .join('')
    .normalize('NFKC')
}

/** Text written from right to left begins and ends so, and holds no characters written from left to right. */
function isOneDirection(codes: readonly number[]): boolean {
  if (!codes.some((code) => holds(rightToLeft, code))) return true
  if (codes.some((code) => holds(leftToRight, code))) return false
  return holds(rightToLeft, codes[0]!) && holds(rightToLeft, codes.at(-1)!)
}
