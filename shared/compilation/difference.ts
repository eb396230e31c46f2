import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Parser, type ReadEntry } from 'tar'
import { byteOrder } from '../release/fingerprint.ts'

/** The first file, by path, in which two compiled packages are not the same, and what is not. */
export interface Difference {
  path: string
  what: 'is missing' | 'is new' | 'is of another type' | 'has another mode' | 'has other bytes' | 'leads elsewhere'
}

interface Entry {
  type: string
  mode: number
  target: string
  sha256: string
}

/**
 * Compares the contents of two tar.gz. Owners, times and order of entries do not count: they are no part of a package.
 * Null where nothing else differs.
 */
export async function firstDifference(before: Readable, after: Readable): Promise<Difference | null> {
  const [old, now] = await Promise.all([read(before), read(after)])
  for (const path of [...new Set([...old.keys(), ...now.keys()])].sort(byteOrder)) {
    const [a, b] = [old.get(path), now.get(path)]
    if (!a) return { path, what: 'is new' }
    if (!b) return { path, what: 'is missing' }
    if (a.type !== b.type) return { path, what: 'is of another type' }
    if (a.target !== b.target) return { path, what: 'leads elsewhere' }
    if (a.sha256 !== b.sha256) return { path, what: 'has other bytes' }
    if (a.mode !== b.mode) return { path, what: 'has another mode' }
  }
  return null
}

async function read(archive: Readable): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>()
  const parser = new Parser({ strict: true })
  parser.on('entry', (entry: ReadEntry) => {
    const hash = createHash('sha256')
    entry.on('data', (chunk) => hash.update(chunk))
    entry.on('end', () => {
      const path = entry.path.replace(/^\.\//, '').replace(/\/$/, '')
      const type = entry.type === 'OldFile' || entry.type === 'ContiguousFile' ? 'File' : entry.type
      const link = type === 'SymbolicLink'
      if (path !== '' && path !== '.') {
        entries.set(path, {
          type,
          mode: link ? 0 : (entry.mode ?? 0) & 0o7777,
          target: entry.linkpath ?? '',
          sha256: hash.digest('hex'),
        })
      }
    })
    entry.resume()
  })
  await pipeline(archive, parser as unknown as NodeJS.WritableStream)
  return entries
}
