import { z } from 'zod'

/**
 * What is in the archive of a database, and which of it a restore needs. Pure.
 *
 * A **line** is the history of one set of data: it begins when a node gets its data, and goes on through failovers
 * (each a timeline of PostgreSQL in it). A node that was restored begins another line, so that what it had written
 * after the point it was restored to stays restorable, and never mixes with what it writes since.
 */

/** A finished file of the write-ahead log, `000000010000000000000003`, packed with gzip. */
export interface LogFile {
  digest: string
  bytes: number
  /** Every commit up to this time, by the server's clock in milliseconds, is in this file or an earlier one. */
  sealedAt?: number
}

/** All that was archived of a line. */
export interface ArchivedLog {
  files: ReadonlyMap<string, LogFile>
  /** Timeline -> text of its `.history` file: which timelines it comes from, and where it left them. */
  histories: ReadonlyMap<number, string>
}

/** A part of a base backup, packed with gzip. */
export const Part = z.object({
  digest: z.string(),
  /** Absent: an archive of whole files. Else a piece of one large file, from `atMiB` on. */
  piece: z.object({ path: z.string(), atMiB: z.number() }).optional(),
})
export type Part = z.infer<typeof Part>

/** A base backup: a copy of the data while it was written to, whole with the log from `start` to `stop`. */
export const Backup = z.object({
  id: z.string(),
  node: z.string(),
  line: z.string(),
  database: z.string(),
  /** Milliseconds by the server's clock. */
  startedAt: z.number(),
  finishedAt: z.number(),
  /** The file of the log that it begins in. */
  start: z.string(),
  stop: z.string(),
  /** The first transaction that had not begun when it was finished. */
  nextXid: z.string(),
  /** What PostgreSQL wants to find beside the data. */
  label: z.string(),
  /** Blob with the names of all directories. */
  directories: z.string(),
  parts: z.array(Part),
  /** Of the data, and of the packed parts. */
  dataBytes: z.number(),
  bytes: z.number(),
})
export type Backup = z.infer<typeof Backup>

/** Where a restore ends. Without one: at the end of what was archived. */
export const Target = z.discriminatedUnion('type', [
  z.object({ type: z.literal('default') }),
  z.object({ type: z.literal('immediate') }),
  z.object({ type: z.literal('time'), value: z.string(), exclusive: z.boolean() }),
  z.object({ type: z.literal('lsn'), value: z.string(), exclusive: z.boolean() }),
  z.object({ type: z.literal('xid'), value: z.string(), exclusive: z.boolean() }),
])
export type Target = z.infer<typeof Target>

const segmentBytes = 16 * 1024 * 1024
const segmentsPerLog = 0x1_0000_0000 / segmentBytes

/** A file's place in the log, counted from 0 through all timelines; where it begins, and what it is called there. */
export const segmentOf = (file: string) =>
  Number.parseInt(file.slice(8, 16), 16) * segmentsPerLog + Number.parseInt(file.slice(16, 24), 16)
export const timelineOf = (file: string) => Number.parseInt(file.slice(0, 8), 16)
export const lsnOf = (segment: number) => {
  const at = segment * segmentBytes
  return `${Math.floor(at / 0x1_0000_0000).toString(16)}/${(at % 0x1_0000_0000).toString(16)}`.toUpperCase()
}
export const segmentAt = (lsn: string) => Math.floor(bytesAt(lsn) / segmentBytes)

function fileOf(timeline: number, segment: number): string {
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, '0')
  return hex(timeline) + hex(Math.floor(segment / segmentsPerLog)) + hex(segment % segmentsPerLog)
}

/** `0/3000028` as a number; exact up to 2^53. */
export function bytesAt(lsn: string): number {
  const [high = '0', low = '0'] = lsn.split('/')
  return Number.parseInt(high, 16) * 0x1_0000_0000 + Number.parseInt(low, 16)
}

/**
 * Timelines in their order, each with the place of the log where it was left; `<timeline>\t<lsn>\t<reason>` by lines.
 */
export function switches(history: string): { timeline: number; lsn: string; left: number }[] {
  return history.split('\n').flatMap((line) => {
    const [, timeline, lsn] = /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line) ?? []
    return timeline === undefined || lsn === undefined
      ? []
      : [{ timeline: Number(timeline), lsn, left: segmentAt(lsn) }]
  })
}

/** What the file of a segment is called along the newest timeline that is known. */
export function pathOf(
  { start }: Pick<Backup, 'start'>,
  { histories }: Pick<ArchivedLog, 'histories'>,
): { timeline: number; fileAt(segment: number): string } {
  const first = timelineOf(start)
  const timeline = [...histories.keys()].reduce((a, b) => Math.max(a, b), first)
  const left = switches(histories.get(timeline) ?? '')
  // The file in which a timeline was left is complete in the next one only.
  const timelineAt = (segment: number) => left.find((one) => segment < one.left)?.timeline ?? timeline
  return { timeline, fileAt: (segment) => fileOf(Math.max(first, timelineAt(segment)), segment) }
}

/** A backup with the files of the log behind it, in order and without a gap, along the newest timeline there is. */
export function chainOf(backup: Pick<Backup, 'start'>, log: ArchivedLog): string[] {
  const { fileAt } = pathOf(backup, log)
  const chain: string[] = []
  for (let segment = segmentOf(backup.start); ; segment++) {
    const file = fileAt(segment)
    if (!log.files.has(file)) return chain
    chain.push(file)
  }
}

/** Until when, in milliseconds, a backup can be restored to any time; null where its own log is not archived whole. */
export function restorableUntil(backup: Backup, log: ArchivedLog): number | null {
  const chain = chainOf(backup, log)
  const last = chain.at(-1)
  if (last === undefined || segmentOf(last) < segmentAt(backup.stop)) return null
  const sealed = chain.flatMap((file) => log.files.get(file)?.sealedAt ?? [])
  return sealed.reduce((a, b) => Math.max(a, b), backup.finishedAt)
}

/**
 * The files of the log that a restore of the backup to `target` reads; null where the archive does not reach so far. A
 * time is reached with the first commit after it, so the files go on to where the log is known to have one.
 */
export function filesFor(backup: Backup, target: Target, log: ArchivedLog): string[] | null {
  const chain = chainOf(backup, log)
  const stop = segmentAt(backup.stop)
  if (chain.length === 0 || segmentOf(chain.at(-1)!) < stop) return null
  if (target.type === 'default' || target.type === 'xid') return chain
  const until = chain.findIndex((file) => {
    if (segmentOf(file) < stop) return false
    if (target.type === 'immediate') return true
    if (target.type === 'lsn') return segmentOf(file) > segmentAt(target.value)
    return (log.files.get(file)?.sealedAt ?? 0) > Date.parse(target.value)
  })
  return until < 0 ? null : chain.slice(0, until + 1)
}
