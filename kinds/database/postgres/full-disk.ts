/** The disk of a server's data and of its log; of two the one with less left. */
export type DiskSpace = { freeBytes: number; totalBytes: number }

/** Size of a file of the log. */
const fileBytes = 16 * 2 ** 20

/** A server needs room for another file of its log: with less it can write no more, which a disk nearly full is not. */
export const isFullDisk = (disk: DiskSpace | null | undefined) => disk != null && disk.freeBytes < fileBytes

/** Asks for the disks below a server's directory; `spaceIn` reads the answer. */
export const spaceQuestion = (root: string) => `df -Pk ${root} ${root}/data/pg_wal/. 2>/dev/null`

/** Of the lines of `df -Pk` the one with least left: size, used, left, share. */
export function spaceIn(lines: readonly string[]): DiskSpace | null {
  const disks = lines.flatMap((line) => {
    const [, total, left] = /\s(\d+)\s+\d+\s+(\d+)\s+\d+%\s/.exec(line) ?? []
    return left === undefined ? [] : [{ freeBytes: Number(left) * 1024, totalBytes: Number(total) * 1024 }]
  })
  return disks.sort((a, b) => a.freeBytes - b.freeBytes)[0] ?? null
}
