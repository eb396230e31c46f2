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
const [second, minute, hour] = [1000, 60_000, 3_600_000]
const seen = (losses: Loss[], of: number) => ({ losses, of, newest, isEach: true })
const named = (count: number) => lost(...Array.from({ length: count }, (_, i) => `web/${i}`))

test('what was never mended is mended at once', () => {
  const losses = lost('web/0')
  expect(rule(seen(losses, 3), [], 0)).toEqual({ mends: losses, waits: null })
  expect(rule(seen(losses, 3), [repaired(0, 'web/1')], 1)).toEqual({ mends: losses, waits: null })
  expect(rule(seen([], 3), [repaired(0, 'web/1')], 1)).toEqual({ mends: [], waits: null })
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
  expect(rule(seen(losses, 3), repairs, last + seconds * second - 1)).toMatchObject({
    mends: [],
    waits: { again: last + seconds * second, why: expect.stringContaining('instance/web/0 was lost again') },
  })
  expect(rule(seen(losses, 3), repairs, last + seconds * second)).toEqual({ mends: losses, waits: null })
})

test('where no plan is known that was to make it as it was ordered, nothing keeps a repair back', () => {
  const losses = lost('web/0')
  expect(rule({ ...seen(losses, 3), newest: null }, [], 0)).toEqual({ mends: losses, waits: null })
})

test('each quiet hour takes one repair off the row', () => {
  const early = [0, 1, 2, 3].map((i) => repaired(i * second, 'web/0'))
  const at = 3 * second + 3 * hour
  const repairs = [...early, repaired(at, 'web/0')].reverse()
  expect(rule(seen(lost('web/0'), 3), repairs, at)).toMatchObject({ waits: { again: at + 60 * second } })
})

test('one that may be mended leaves behind what has to wait, and takes it along where all are mended together', () => {
  const losses = lost('web/0', 'web/1')
  const before = [repaired(0, 'web/0')]
  expect(rule(seen(losses, 3), before, 1)).toMatchObject({ mends: [losses[1]], waits: { again: 30 * second } })
  expect(rule({ ...seen(losses, 3), isEach: false }, before, 1)).toEqual({ mends: losses, waits: null })
  const both = [repaired(0, 'web/0', 'web/1')]
  expect(rule({ ...seen(losses, 3), isEach: false }, both, 1)).toMatchObject({
    mends: [],
    waits: { again: 30 * second },
  })
})

test('of a storm, five within ten minutes and more than a fifth of all, a fifth is mended in that time', () => {
  const first = rule(seen(named(40), 50), [], 0)
  expect(first).toEqual({
    mends: named(40).slice(0, 10),
    waits: {
      why: '40 of 50 instances were lost within ten minutes: 10 are mended in that time, and remodel bring-back mends all that are gone',
      again: null,
    },
  })
  const repairs = [repaired(second, ...named(10).map(({ subject }) => subject.slice('instance/'.length)))]
  const rest = named(40).slice(10)
  expect(rule(seen(rest, 50), repairs, minute)).toMatchObject({ mends: [], waits: { again: second + 10 * minute } })
  expect(rule(seen(rest, 50), repairs, second + 10 * minute)).toMatchObject({ mends: rest.slice(0, 10) })
})

test.each([
  [10, 50, 10],
  [11, 50, 10],
  [4, 4, 4],
  [5, 5, 4],
  [6, 100, 6],
])('%i of %i that are lost at once: %i are mended', (count, of, mended) => {
  expect(rule(seen(named(count), of), [], 0).mends).toHaveLength(mended)
})

test('what is left of a storm, or comes one after the other, is the same storm', () => {
  const four = [3, 2, 1, 0].map((i) => repaired(i * minute, `web/${i}`))
  expect(rule(seen(lost('web/4'), 6), four, 5 * minute)).toMatchObject({ mends: [], waits: { again: 10 * minute } })
  expect(rule(seen(lost('web/4'), 6), four, 10 * minute).mends).toHaveLength(1)
  expect(rule(seen(lost('web/4'), 30), four, 5 * minute).mends).toHaveLength(1)
  expect(rule(seen(lost('web/1'), 6), four, 5 * minute).mends, 'one of those that were lost before').toHaveLength(1)
  const five = [repaired(4 * minute, 'web/4'), ...four]
  expect(rule(seen(lost('web/4'), 6), five, 4 * minute + second), 'which flaps beside').toMatchObject({
    ...{ mends: [], waits: { why: expect.stringContaining('web/4 was lost again') } },
  })
})

test('a storm in which all has to be mended together is left to a person', () => {
  expect(rule({ ...seen(named(40), 50), isEach: false }, [], 0)).toEqual({
    mends: [],
    waits: {
      why: '40 of 50 instances were lost within ten minutes, and no more than 10 are mended without a person',
      again: null,
    },
  })
})

test.each(['failed', 'cancelled'] as const)('after a deploy that is %s a person goes on', (state) => {
  const unsettled = { ...seen(lost('web/0'), 3), newest: { id: 'p9', state, errors: [] } }
  expect(rule(unsettled, [repaired(0, 'web/0')], hour)).toEqual({
    mends: [],
    waits: {
      why: `instance/web/0 is lost, and the last plan, p9, is ${state}: deploy again, or roll back`,
      again: null,
    },
  })
})

test('a repair that failed is tried again; one that waits, or that a person has cancelled or refused, is not', () => {
  const repairs = [repaired(0, 'web/0')]
  const after = (state: 'failed' | 'cancelled' | 'parked', code: 'job-failed' | 'cancelled' = 'job-failed') => {
    const errors = [{ remodel: 'a', code, message: 'why' }]
    return rule({ ...seen(lost('web/0'), 3), newest: { id: 'p0', state, errors } }, repairs, 30 * second)
  }
  expect(after('failed').mends).toHaveLength(1)
  expect(after('failed', 'cancelled')).toMatchObject({ waits: { why: expect.stringContaining('refused plan p0') } })
  expect(after('cancelled')).toMatchObject({ mends: [], waits: { again: null } })
  expect(after('parked')).toMatchObject({ waits: { why: expect.stringContaining('plan p0 waits') } })
})
