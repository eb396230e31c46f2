import { padEnd, plain, type Style } from './style.ts'
import { clock } from './time.ts'

const WARN = 40
const ERROR = 50
const INFO = 30
const FATAL = 60
const HIDDEN = new Set([
  'time',
  'level',
  'msg',
  'service',
  'worker',
  'err',
  'pid',
  'hostname',
  'name',
  'stack',
  'v',
  'why',
])

/**
 * A line of a service's log as a short line for the terminal; undefined where it is not worth one.
 * Redis talks a lot and in its own form: it is left to its log file.
 */
export function serviceLine(service: string, line: string, style: Style, verbose: boolean): string | undefined {
  const name = style.cyan(padEnd(service, 11))
  const record = parse(line)
  if (!record) {
    if (service === 'redis' && !verbose) return undefined
    return line.trim() === '' ? undefined : `${style.dim(clock(Date.now()))}  ${name}  ${plain(line)}`
  }
  const level = typeof record.level === 'number' ? record.level : INFO
  if (level < INFO && !verbose) return undefined
  const paint = level >= ERROR ? style.red : level >= WARN ? style.yellow : (text: string) => text
  const error = record.err as { message?: unknown } | undefined
  const why = record.why ?? error?.message
  const cause = typeof why === 'string' ? `: ${why}` : ''
  const facts = Object.entries(record)
    .filter(([key, value]) => !HIDDEN.has(key) && (typeof value === 'string' || typeof value === 'number'))
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')
  const at = new Date(record.time as string | number).getTime()
  return `${style.dim(clock(Number.isNaN(at) ? Date.now() : at))}  ${name}  ${paint(plain(`${record.msg ?? ''}${cause}`))}  ${style.dim(plain(facts))}`.trimEnd()
}

/** The reason that a service gives in its log for not starting; undefined for every other line. */
export function startFailure(line: string): string | undefined {
  const { level, why } = parse(line) ?? {}
  return level === FATAL && typeof why === 'string' ? why : undefined
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
