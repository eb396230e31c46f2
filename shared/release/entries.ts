import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { Parser, type ReadEntry } from 'tar'
import { toError } from '../runtime/errors.ts'
import { reasonOf } from '../runtime/system-error.ts'
import { invalidInput } from '../source/document.ts'
import { linkStaysInside, parentIn, safePath } from './safe-path.ts'

/** How much an archive may hold before it is taken for an attack. */
export interface ArchiveLimits {
  entries: number
  /** Unpacked, all entries together. */
  bytes: number
  /** Unpacked bytes for each packed one. */
  ratio: number
}
const DEFAULT_LIMITS: ArchiveLimits = { entries: 500_000, bytes: 32 * 2 ** 30, ratio: 1100 }

/** A job is read into the planner's memory. */
export const jobLimits: ArchiveLimits = { entries: 10_000, bytes: 64 * 2 ** 20, ratio: 1100 }

export interface EntryRules {
  /** The archive, for messages. */
  file: string
  limits?: ArchiveLimits
  /**
   * Which symbolic links may stand in it: none at all, those that stay inside, or any. No entry
   * goes through one of them.
   */
  links: 'none' | 'inside' | 'any'
  /** Machines unpack it with `tar -z`: neither a plain tar nor another compression. */
  gzip?: boolean
}

/**
 * What an archive of a compiled package may hold, wherever it comes from and goes to: a script links to what its
 * machine has (`/usr/bin/env`) and to other packages.
 */
export function compiledRules(file: string, limits?: ArchiveLimits): EntryRules {
  return { file, links: 'any', gzip: true, ...(limits ? { limits } : {}) }
}

/** What the archive of a package's source may hold, whichever way a release comes in. */
export function sourceRules(file: string, limits?: ArchiveLimits): EntryRules {
  return { file, links: 'inside', gzip: true, ...(limits ? { limits } : {}) }
}

/**
 * Visits every file of a tar or tar.gz in order, without unpacking it. `visit` may read the entry or leave it. Throws
 * `invalid-input`, naming entry and reason, for whatever could do harm when it is unpacked: paths that lead out, links
 * that lead out, entries that go through a link, devices, absurd sizes; and for what is no archive, or not a whole one.
 */
export async function eachEntry(
  source: Readable,
  rules: EntryRules,
  visit: (path: string, entry: ReadEntry) => Promise<void>,
): Promise<void> {
  const guard = new Guard(rules)
  const parser = new Parser({ strict: true, maxDecompressionRatio: guard.limits.ratio })
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {})
  let failure: Error | undefined
  let visits = Promise.resolve()
  let current: ReadEntry | undefined
  const fail = (thrown: unknown) => {
    failure ??= toError(thrown)
    failed.reject(failure)
    source.destroy()
    // A reader of the entry would wait for its end for ever.
    current?.destroy(failure)
  }
  parser.on('error', (error: Error) => fail(refuse(rules, undefined, `is not a whole tar archive: ${damageOf(error)}`)))
  parser.on('entry', (entry: ReadEntry) => {
    entry.on('error', () => {})
    visits = visits
      .then(async () => {
        if (failure) return
        current = entry
        const path = guard.check(entry)
        if (isFile(entry)) await visit(path, entry)
      })
      .catch(fail)
      .finally(() => {
        current = undefined
        entry.resume()
      })
  })
  const ended = new Promise((resolve) => parser.once('end', resolve))
  try {
    for await (const chunk of source) {
      if (!guard.begins(chunk))
        fail(refuse(rules, undefined, 'is not a whole tar archive: it is no gzip; pack it with tar -z'))
      if (failure) break
      if (!parser.write(chunk))
        await Promise.race([new Promise((resolve) => parser.once('drain', resolve)), failed.promise])
    }
    if (!failure) {
      parser.end()
      await Promise.race([ended, failed.promise])
    }
  } catch (error) {
    fail(error)
  }
  await visits
  source.destroy()
  if (failure) throw failure
}

function isFile(entry: ReadEntry): boolean {
  return entry.type === 'File' || entry.type === 'OldFile' || entry.type === 'ContiguousFile'
}

/** What the reader of archives found, in words: its own are codes. */
function damageOf(error: Error): string {
  const { tarCode, code } = error as Error & { tarCode?: string; code?: string }
  if (tarCode === 'TAR_BAD_ARCHIVE') return 'it has no entries in the form of tar, or ends in the middle of one'
  if (tarCode === 'TAR_ENTRY_INVALID') return 'the header of an entry is damaged'
  if (code?.startsWith('Z_')) return 'the compressed data is damaged or cut off'
  return reasonOf(error).replace(/^[A-Z_]+: /, '')
}

/** What is wrong with an archive as a whole or with one entry of it. */
export function refuse(rules: { file: string }, path: string | undefined, message: string, found?: string) {
  return invalidInput([
    { file: rules.file, ...(path === undefined ? {} : { path }), message, ...(found === undefined ? {} : { found }) },
  ])
}

const gzipMagic = [0x1f, 0x8b]

/** A path, or what is as good where it is long: hundreds of thousands of them are held. */
function idOf(path: string): string {
  return path.length <= 128 ? path : createHash('sha256').update(path).digest('base64')
}

class Guard {
  readonly rules: EntryRules
  readonly limits: ArchiveLimits
  readonly #links = new Set<string>()
  /** What is there already, by `idOf`: true where it is a directory. */
  readonly #seen = new Map<string, boolean>()
  #head = Buffer.alloc(0)
  #entries = 0
  #bytes = 0

  constructor(rules: EntryRules) {
    this.rules = rules
    this.limits = rules.limits ?? DEFAULT_LIMITS
  }

  /** False where the first bytes are not those of a gzip, and must be. */
  begins(chunk: Uint8Array): boolean {
    if (!this.rules.gzip || this.#head.length >= 2) return true
    this.#head = Buffer.concat([this.#head, chunk.subarray(0, 2 - this.#head.length)])
    return this.#head.every((byte, at) => byte === gzipMagic[at])
  }

  check(entry: ReadEntry): string {
    const refused = (message: string, found?: string) => refuse(this.rules, entry.path, message, found)
    if (++this.#entries > this.limits.entries) throw refused(`is refused: more than ${this.limits.entries} entries`)
    this.#bytes += entry.size
    if (!(entry.size >= 0) || this.#bytes > this.limits.bytes) {
      throw refused(`is refused: it holds more than ${this.limits.bytes} bytes`, String(entry.size))
    }
    const path = safePath(entry.path)
    if (path === null) throw refused('is refused: the path leads out of the archive')
    const above = parentIn(path, this.#links)
    if (above !== null) throw refused(`is refused: the path goes through the link ${above}`)
    this.#checkType(entry, path, refused)
    const isDirectory = entry.type === 'Directory' || entry.type === 'GNUDumpDir'
    // Of two files under one name the last one would win, and what was checked of the first would be worth nothing.
    const before = this.#seen.get(idOf(path))
    if (before !== undefined && !(before && isDirectory)) throw refused('is refused: it is in the archive twice')
    this.#seen.set(idOf(path), isDirectory)
    return path
  }

  #checkType(entry: ReadEntry, path: string, refused: (message: string, found?: string) => Error): void {
    const target = entry.linkpath ?? ''
    switch (entry.type) {
      case 'File':
      case 'OldFile':
      case 'ContiguousFile':
      case 'Directory':
      case 'GNUDumpDir':
        return
      case 'SymbolicLink': {
        const { links } = this.rules
        if (links === 'none' || (links === 'inside' && !linkStaysInside(path, target)))
          throw refused('is refused: the link leads out', target)
        this.#links.add(path)
        return
      }
      case 'Link':
        if (
          this.rules.links === 'none' ||
          safePath(target) === null ||
          parentIn(safePath(target)!, this.#links) !== null
        ) {
          throw refused('is refused: the link leads out', target)
        }
        return
      default:
        throw refused(`is refused: an archive may not hold a ${entry.type}`)
    }
  }
}
