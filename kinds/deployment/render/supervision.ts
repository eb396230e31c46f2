import { posix } from 'node:path'
import { isMonitFile, type MonitNote, parseMonit } from '../../../shared/release/monit.ts'
import type { Supervision } from '../rendering.ts'

/** More of them help no reader of a plan. */
const mostIdle = 5
const longest = 100

/** What the monit files of a rendered job have supervised, and what they say that has no effect. */
export function supervisionIn(files: ReadonlyMap<string, { content: Buffer }>): Supervision {
  const read = [...files]
    .filter(([path]) => isMonitFile(path))
    .map(([path, { content }]) => ({ path, ...parseMonit(content.toString('utf8')) }))
  const idle = read.flatMap(({ path, warnings, unknown }) =>
    [...warnings, ...unknown.map((note) => ({ ...note, message: `"${note.message}"` }))]
      .sort((a, b) => a.line - b.line)
      .map((note) => idleText(path, note)),
  )
  const more = idle.length - mostIdle
  return {
    processes: read.flatMap(({ processes }) =>
      processes.map(({ name, pidfile }) => ({ name, pidfile: posix.normalize(pidfile) })),
    ),
    idle: more > 0 ? [...idle.slice(0, mostIdle), `and ${more} more`] : idle,
  }
}

function idleText(path: string, { line, message }: MonitNote): string {
  return `${message.length > longest ? `${message.slice(0, longest - 3)}...` : message} (${path}:${line})`
}
