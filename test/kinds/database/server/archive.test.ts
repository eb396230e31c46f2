import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type ArchivedLog,
  type Backup,
  bytesAt,
  chainOf,
  filesFor,
  type LogFile,
  lsnOf,
  restorableUntil,
  segmentAt,
  segmentOf,
  timelineOf,
} from '../../../../kinds/database/archive/chain.ts'

const backup = (start: string, stop: string): Backup => ({
  id: 'n1-1',
  node: 'n1',
  line: 'a',
  database: 'shop',
  startedAt: 900,
  finishedAt: 1000,
  start,
  stop,
  nextXid: '700',
  label: '',
  directories: '',
  parts: [],
  dataBytes: 0,
  bytes: 0,
})
const name = (timeline: number, segment: number) => {
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, '0')
  return hex(timeline) + hex(Math.floor(segment / 256)) + hex(segment % 256)
}
function logOf(
  files: readonly string[],
  sealed: Record<string, number> = {},
  histories: [number, string][] = [],
): ArchivedLog {
  const entry = (file: string): LogFile => ({
    digest: file,
    bytes: 1,
    ...(sealed[file] === undefined ? {} : { sealedAt: sealed[file] }),
  })
  return { files: new Map(files.map((file) => [file, entry(file)])), histories: new Map(histories) }
}
const at = (ms: number, exclusive = false) => ({ type: 'time', value: new Date(ms).toISOString(), exclusive }) as const

describe('the log behind a backup', () => {
  test('is counted on over the ends of its 4 GiB parts, and named as PostgreSQL names it', () => {
    expect(segmentOf('0000000100000001000000FF')).toBe(511)
    expect(timelineOf('0000000A0000000100000001')).toBe(10)
    expect(lsnOf(256)).toBe('1/0')
    expect(bytesAt('1/2000028')).toBe(0x1_0200_0028)
    const files = [254, 255, 256, 257].map((segment) => name(1, segment))
    expect(chainOf(backup(name(1, 254), '0/FE000100'), logOf(files))).toEqual(files)
    fc.assert(fc.property(fc.nat(2 ** 30), (segment) => segmentAt(lsnOf(segment)) === segment))
  })

  test('ends at the first file that is not there: nothing behind a gap can be restored', () => {
    const files = [3, 4, 6].map((segment) => name(1, segment))
    const log = logOf(files, { [name(1, 4)]: 2000, [name(1, 6)]: 9000 })
    const start = backup(name(1, 3), '0/3000100')
    expect(chainOf(start, log)).toEqual(files.slice(0, 2))
    expect(restorableUntil(start, log)).toBe(2000)
    expect(filesFor(start, at(1999), log)).toEqual(files.slice(0, 2))
    expect(filesFor(start, at(2000), log)).toBeNull()
    expect(restorableUntil(backup(name(1, 3), '0/5000100'), log), 'its own log is not whole').toBeNull()
  })

  test('goes over to the timeline of the server that took over, in the file in which that happened', () => {
    const files = [name(1, 3), name(1, 4), name(1, 5), name(2, 5), name(2, 6), name(3, 7), name(3, 8)]
    const log = logOf(files, { [name(3, 8)]: 5000 }, [
      [2, '1\t0/5000028\tno recovery target specified\n'],
      [3, '1\t0/5000028\tno recovery target specified\n\n2\t0/7000100\tno recovery target specified\n'],
    ])
    const chain = [name(1, 3), name(1, 4), name(2, 5), name(2, 6), name(3, 7), name(3, 8)]
    expect(chainOf(backup(name(1, 3), '0/3000100'), log)).toEqual(chain)
    expect(chainOf(backup(name(2, 6), '0/6000100'), log)).toEqual(chain.slice(3))
    expect(restorableUntil(backup(name(1, 3), '0/3000100'), log)).toBe(5000)
  })

  test('is read only so far as the target needs: to the first commit after a time, to behind a position', () => {
    const files = [3, 4, 5, 6].map((segment) => name(1, segment))
    const log = logOf(files, { [name(1, 4)]: 2000, [name(1, 6)]: 4000 })
    const of = backup(name(1, 3), '0/3000100')
    expect(filesFor(of, at(1500), log)).toEqual(files.slice(0, 2))
    expect(filesFor(of, at(2500), log)).toEqual(files)
    expect(filesFor(of, { type: 'lsn', value: '0/4000100', exclusive: false }, log)).toEqual(files.slice(0, 3))
    expect(filesFor(of, { type: 'lsn', value: '0/6000100', exclusive: false }, log)).toBeNull()
    expect(filesFor(of, { type: 'immediate' }, log)).toEqual(files.slice(0, 1))
    expect(filesFor(of, { type: 'default' }, log)).toEqual(files)
  })
})
