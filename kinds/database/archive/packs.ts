import { gunzipSync, gzipSync } from 'node:zlib'
import { z } from 'zod'
import { segmentOf } from './chain.ts'

/**
 * The index of a line's log is kept in two places: entries of late are open, in Redis; older ones are packed, about a
 * day of a busy database in one blob. An entry is in one of them or, for a moment, in both. Pure.
 */

/** What is known of one file of the log. Half of it may come later, or be said twice: `merged` puts it together. */
export const Entry = z.object({
  file: z.string(),
  /** Absent: only when it was sealed is known here. */
  blob: z.object({ digest: z.string(), bytes: z.number() }).optional(),
  sealedAt: z.number().optional(),
})
export type Entry = z.infer<typeof Entry>

/** What Redis keeps of a pack: which part of the log it has. */
export const PackSummary = z.object({
  digest: z.string(),
  from: z.number(),
  to: z.number(),
  files: z.number(),
})
export type PackSummary = z.infer<typeof PackSummary>

/** Entries of one pack. */
const packFiles = 1440
/** How many of the newest stay open: those that may still change. */
const openFiles = 64

/**
 * The same for whatever comes twice, and in whatever order. Entries never change; should two assemblers have packed one
 * file differently, either blob is as good, and all readers take the same.
 */
export function merged(lists: Iterable<Iterable<Entry>>): Map<string, Entry> {
  const all = new Map<string, Entry>()
  for (const list of lists) {
    for (const entry of list) {
      const known = all.get(entry.file)
      all.set(entry.file, known ? joined(known, entry) : entry)
    }
  }
  return all
}

function joined(one: Entry, other: Entry): Entry {
  const blobs = [one, other].flatMap(({ blob }) => blob ?? [])
  const [blob] = blobs.sort((a, b) => (a.digest < b.digest ? -1 : 1))
  const times = [one, other].flatMap(({ sealedAt }) => sealedAt ?? [])
  return {
    file: one.file,
    ...(blob ? { blob } : {}),
    ...(times.length > 0 ? { sealedAt: Math.max(...times) } : {}),
  }
}

const byPlace = (a: Entry, b: Entry) => segmentOf(a.file) - segmentOf(b.file) || (a.file < b.file ? -1 : 1)

/** The oldest of the open entries, once there are enough of them for a pack. */
export function nextPack(open: readonly Entry[], size = packFiles, left = openFiles): Entry[] | null {
  if (open.length < size + left) return null
  return [...open].sort(byPlace).slice(0, size)
}

/** The bytes of a pack: the same for the same entries. */
export function encodePack(entries: readonly Entry[]): Buffer {
  const lines = [...entries].sort(byPlace).map(({ file, blob, sealedAt }) =>
    JSON.stringify({
      file,
      ...(blob ? { blob: { digest: blob.digest, bytes: blob.bytes } } : {}),
      ...(sealedAt === undefined ? {} : { sealedAt }),
    }),
  )
  return gzipSync(lines.join('\n'), { level: 9 })
}

export function decodePack(content: Uint8Array): Entry[] {
  const text = gunzipSync(content).toString()
  return text === '' ? [] : text.split('\n').map((line) => Entry.parse(JSON.parse(line)))
}

export function summaryOf(digest: string, entries: readonly Entry[]): PackSummary {
  const places = entries.map(({ file }) => segmentOf(file))
  return {
    digest,
    from: places.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
    to: places.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
    files: entries.length,
  }
}
