import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { firstDifference } from '../../shared/compilation/difference.ts'
import type { ArchiveEntry } from '../../shared/release/archive.ts'
import { fileEntry, tarGz } from './fixture.ts'

const link = (path: string, target: string): ArchiveEntry => ({ type: 'link', path, target })
const base = [fileEntry('bin/tool', 'tool'), fileEntry('lib/a', 'a'), link('lib/b', 'a')]
const compare = async (before: ArchiveEntry[], after: ArchiveEntry[]) =>
  firstDifference(Readable.from([await tarGz(...before)]), Readable.from([await tarGz(...after)]))

it('says of two packages the first file, by path, that is not the same, and what is not', async () => {
  expect(await compare(base, [...base].reverse())).toBeNull()
  expect(await compare(base, [...base, fileEntry('aaa', '')])).toEqual({ path: 'aaa', what: 'is new' })
  expect(await compare(base, base.slice(1))).toEqual({ path: 'bin/tool', what: 'is missing' })
  const other = [fileEntry('bin/tool', 'tooL'), fileEntry('lib/a', 'b'), link('lib/b', 'a')]
  expect(await compare(base, other)).toEqual({ path: 'bin/tool', what: 'has other bytes' })
  expect(await compare(base, [base[0]!, base[1]!, link('lib/b', 'c')])).toEqual({
    path: 'lib/b',
    what: 'leads elsewhere',
  })
  const executable = { ...base[0]!, executable: true } as ArchiveEntry
  expect(await compare(base, [executable, ...base.slice(1)])).toEqual({ path: 'bin/tool', what: 'has another mode' })
  expect(await compare(base, [base[0]!, base[1]!, fileEntry('lib/b', 'a')])).toEqual({
    path: 'lib/b',
    what: 'is of another type',
  })
})

it('does not take what is no whole archive for an empty one', async () => {
  const bytes = await tarGz(...base)
  await expect(
    firstDifference(Readable.from([bytes]), Readable.from([bytes.subarray(0, bytes.length - 30)])),
  ).rejects.toThrow()
})
