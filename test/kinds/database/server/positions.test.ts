import { expect, test } from 'vitest'
import { comparePositions, lsnOf, lsnText } from '../../../../kinds/database/postgres/position.ts'
import { answersNeeded, commitsOf, isEnough } from '../../../../kinds/database/postgres/quorum.ts'
import { parseControlFile } from '../../../../kinds/database/server/control-file.ts'
import { leftAt } from '../../../../kinds/database/server/kept.ts'

test('of three servers with one replica to confirm, two have to answer; with none, all', () => {
  const synchronous = commitsOf(['a', 'b', 'c'], true)
  expect(answersNeeded(synchronous)).toBe(2)
  expect(isEnough(synchronous, ['b'])).toBe(false)
  expect(isEnough(synchronous, ['b', 'c'])).toBe(true)
  expect(isEnough(synchronous, ['b', 'x'])).toBe(false)
  const asynchronous = commitsOf(['a', 'b', 'c'], false)
  expect(isEnough(asynchronous, ['b', 'c'])).toBe(false)
  expect(isEnough(asynchronous, ['a', 'b', 'c'])).toBe(true)
  expect(isEnough(commitsOf(['a', 'b'], true), ['b'])).toBe(true)
})

test('a later timeline counts more than a longer log', () => {
  expect(comparePositions({ timeline: 2, lsn: 1 }, { timeline: 1, lsn: 9 })).toBeGreaterThan(0)
  expect(comparePositions({ timeline: 2, lsn: 1 }, { timeline: 2, lsn: 9 })).toBeLessThan(0)
})

test('a position in the log is written as PostgreSQL writes it', () => {
  for (const text of ['0/0', '0/3000028', 'A/FFFFFFF8', '1F/0']) expect(lsnText(lsnOf(text))).toBe(text)
})

test('the history of a timeline says where it leaves an earlier one', () => {
  const history = '1\t0/3000060\tno recovery target specified\n\n2\t0/5000000\tbefore 2026-01-01\n'
  expect(leftAt(history, 1)).toBe(lsnOf('0/3000060'))
  expect(leftAt(history, 2)).toBe(lsnOf('0/5000000'))
  expect(leftAt(history, 3)).toBeNull()
})

test('a control file of another version, or with an unknown state, is of no use', () => {
  const file = Buffer.alloc(64)
  file.writeUInt32LE(1800, 8)
  file.writeUInt32LE(1, 16)
  file.writeBigUInt64LE(BigInt(lsnOf('0/5000028')), 32)
  file.writeUInt32LE(3, 48)
  expect(parseControlFile(file)).toEqual({ state: 'shut down', checkpoint: { timeline: 3, lsn: lsnOf('0/5000028') } })
  file.writeUInt32LE(9, 16)
  expect(() => parseControlFile(file)).toThrow('state')
  file.writeUInt32LE(99_999, 8)
  expect(() => parseControlFile(file)).toThrow('version')
})
