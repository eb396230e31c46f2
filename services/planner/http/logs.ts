import { z } from 'zod'
import type { Connection } from '../../../shared/provider/connection.ts'
import { layout } from '../../../shared/provider/layout.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'

/** What one answer holds of a file at most. */
const mostBytes = 256 * 1024
const newLine = 0x0a

/** File -> how many of its bytes were answered. */
const Positions = z.record(z.string(), z.int().nonnegative())
type Positions = z.infer<typeof Positions>

export interface Logs {
  files: { path: string; content: string }[]
  next: string
}

/** Where an answer ended, as its `next` says. Throws `invalid-input`. */
export function positionsOf(next: string): Positions {
  try {
    return Positions.parse(JSON.parse(Buffer.from(next, 'base64url').toString()))
  } catch (cause) {
    throw new RemodelError('invalid-input', '`after` is no `next` of an earlier answer', { cause })
  }
}

/**
 * Of every log file in the machine's folder of logs, and of those that the kind names beside, the last lines, or whole
 * lines that were written behind a position. A file that has less than was answered of it is a new one.
 */
export async function readLogs(
  connection: Connection,
  paths: readonly string[],
  from: { lines: number } | { after: Positions },
): Promise<Logs> {
  const found = await sizes(connection, paths)
  const read = await Promise.all(
    [...found].map(async ([path, size]) =>
      'lines' in from
        ? lastLines(connection, { path, size, lines: from.lines })
        : since(connection, { path, size, after: from.after }),
    ),
  )
  const next = Object.fromEntries(read.map(({ path, end }) => [path, end]))
  return {
    files: read.filter(({ content }) => content !== '').map(({ path, content }) => ({ path, content })),
    next: Buffer.from(JSON.stringify(next)).toString('base64url'),
  }
}

interface Read {
  path: string
  content: string
  /** How many bytes of the file have been answered now. */
  end: number
}

async function sizes(connection: Connection, paths: readonly string[]): Promise<Map<string, number>> {
  const files = ['-type', 'f', '-size', '+0', '-exec', 'wc', '-c', '{}', ';']
  const { stdout } = await connection.exec(['find', layout.log, ...paths, ...files])
  const found = stdout.split('\n').flatMap((line): [string, number][] => {
    const [, size, path] = /^\s*(\d+) (.+)$/.exec(line) ?? []
    return path === undefined ? [] : [[path, Number(size)]]
  })
  return new Map(found.sort(([a], [b]) => (a < b ? -1 : 1)))
}

async function lastLines(
  connection: Connection,
  { path, size, lines }: { path: string; size: number; lines: number },
): Promise<Read> {
  const from = Math.max(0, size - mostBytes)
  const text = (await bytes(connection, { path, from, most: size - from })).toString()
  const all = text.replace(/\n$/, '').split('\n')
  // The first one is a part of a line where the window begins inside of the file.
  const whole = from === 0 || all.length === 1 ? all : all.slice(1)
  const content = whole.slice(-lines).join('\n')
  return { path, content: text.endsWith('\n') ? `${content}\n` : content, end: size }
}

async function since(
  connection: Connection,
  { path, size, after }: { path: string; size: number; after: Positions },
): Promise<Read> {
  const known = after[path] ?? 0
  const from = size < known ? 0 : known
  if (size === from) return { path, content: '', end: from }
  const read = await bytes(connection, { path, from, most: mostBytes })
  const whole = read.lastIndexOf(newLine) + 1
  // A line that is longer than an answer comes in pieces.
  const end = whole === 0 && read.length === mostBytes ? mostBytes : whole
  return { path, content: read.subarray(0, end).toString(), end: from + end }
}

async function bytes(
  connection: Connection,
  { path, from, most }: { path: string; from: number; most: number },
): Promise<Buffer> {
  const chunks: Buffer[] = []
  // The output of `exec` is cut in the middle; its input is not.
  await connection.exec(['/bin/sh', '-c', 'tail -c "+$1" "$3" | head -c "$2"', 'sh', `${from + 1}`, `${most}`, path], {
    onOutput: (chunk, of) => {
      if (of === 'stdout') chunks.push(chunk)
    },
  })
  return Buffer.concat(chunks)
}
