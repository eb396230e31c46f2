import { expect, test } from 'vitest'
import { rule } from '../../services/planner/caretaker/guards.ts'
import type { Loss, Repair } from '../../shared/model/healing.ts'

const lost = (...names: string[]): Loss[] =>
  names.map((name) => ({ subject: `instance/${name}`, machine: `vm-${name}`, is: 'gone' }))
const repaired = (at: number, ...names: string[]): Repair => ({
  plan: `p${at}`,
  at,
  subjects: names.map((name) => `instance/${name}`),
})
const newest = { id: 'p0', state: 'done' as const, errors: [] }
const [second, hour] = [1000, 3_600_000]

test('what was never mended is mended at once', () => {
  expect(rule({ losses: lost('web/0'), of: 3, newest }, [], 0)).toEqual({ go: true })
  expect(rule({ losses: lost('web/0'), of: 3, newest }, [repaired(0, 'web/1')], 1)).toEqual({ go: true })
})

test.each([
  [1, 30],
  [2, 60],
  [3, 120],
  [7, 1920],
  [8, 3600],
  [20, 3600],
])('after %i repairs in a row a subject is left alone for %i s', (times, seconds) => {
  const repairs = Array.from({ length: times }, (_, i) => repaired(i * second, 'web/0')).reverse()
  const last = repairs[0]!.at
  const losses = lost('web/0')
  expect(rule({ losses, of: 3, newest }, repairs, last + seconds * second - 1)).toMatchObject({
    go: false,
    again: last + seconds * second,
    why: expect.stringContaining('instance/web/0 was lost again'),
  })
  expect(rule({ losses, of: 3, newest }, repairs, last + seconds * second)).toEqual({ go: true })
})

test('each quiet hour takes one repair off the row', () => {
  const early = [0, 1, 2, 3].map((i) => repaired(i * second, 'web/0'))
  const at = 3 * second + 3 * hour
  const repairs = [...early, repaired(at, 'web/0')].reverse()
  expect(rule({ losses: lost('web/0'), of: 3, newest }, repairs, at)).toMatchObject({ again: at + 60 * second })
})

test('one that may be mended takes along what has to wait', () => {
  expect(rule({ losses: lost('web/0', 'web/1'), of: 3, newest }, [repaired(0, 'web/0')], 1)).toEqual({ go: true })
})

test('a storm is left to a person: five at once, and more than a fifth of all', () => {
  const names = Array.from({ length: 40 }, (_, i) => `web/${i}`)
  expect(rule({ losses: lost(...names), of: 50, newest }, [], 0)).toMatchObject({
    go: false,
    again: null,
    why: '40 of 50 instances are lost at once, and no more than 10 are mended without a person',
  })
  expect(rule({ losses: lost(...names.slice(0, 10)), of: 50, newest }, [], 0)).toEqual({ go: true })
  expect(rule({ losses: lost(...names.slice(0, 11)), of: 50, newest }, [], 0)).toMatchObject({ go: false })
  expect(rule({ losses: lost(...names.slice(0, 4)), of: 4, newest }, [], 0)).toEqual({ go: true })
  expect(rule({ losses: lost(...names.slice(0, 5)), of: 5, newest }, [], 0)).toMatchObject({ go: false })
})

test.each(['failed', 'cancelled'] as const)('after a deploy that is %s a person goes on', (state) => {
  const seen = { losses: lost('web/0'), of: 3, newest: { id: 'p9', state, errors: [] } }
  expect(rule(seen, [repaired(0, 'web/0')], hour)).toMatchObject({
    ...{ go: false, again: null },
    why: `instance/web/0 is lost, and the last plan, p9, is ${state}: deploy again, or roll back`,
  })
})

test('a repair that failed is tried again; one that waits, or that a person has cancelled or refused, is not', () => {
  const repairs = [repaired(0, 'web/0')]
  const after = (state: 'failed' | 'cancelled' | 'parked', code: 'job-failed' | 'cancelled' = 'job-failed') => {
    const errors = [{ remodel: 'a', code, message: 'why' }]
    return rule({ losses: lost('web/0'), of: 3, newest: { id: 'p0', state, errors } }, repairs, 30 * second)
  }
  expect(after('failed')).toEqual({ go: true })
  expect(after('failed', 'cancelled')).toMatchObject({ go: false, why: expect.stringContaining('refused plan p0') })
  expect(after('cancelled')).toMatchObject({ go: false, again: null })
  expect(after('parked')).toMatchObject({ go: false, why: expect.stringContaining('plan p0 waits') })
})
