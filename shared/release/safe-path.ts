import { posix } from 'node:path'

/** Where an entry of an archive would stand, `./` and `//` taken out; null where that is outside or depends on `..`. */
export function safePath(path: string): string | null {
  if (path.startsWith('/') || path.includes('\0') || path.split('/').includes('..')) return null
  return posix.normalize(path).replace(/\/$/, '')
}

/** Whether a link at `path` leads, by its text, to something inside of the archive. */
export function linkStaysInside(path: string, target: string): boolean {
  if (target.startsWith('/') || target.includes('\0')) return false
  const reached = posix.join(posix.dirname(path), target)
  return reached !== '..' && !reached.startsWith('../')
}

/** The first parent of `path` that is in `others`: an entry below a file, or written through a link. */
export function parentIn(path: string, others: ReadonlySet<string>): string | null {
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
    const parent = path.slice(0, at)
    if (others.has(parent)) return parent
  }
  return null
}
