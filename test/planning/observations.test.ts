import { expect, test } from 'vitest'
import { z } from 'zod'
import { type Aspect, isFresh, observation, observed } from '../../shared/model/observation.ts'

const lag: Aspect<number> = { name: 'lag', value: z.number(), freshMs: 1000 }
const role: Aspect<string> = { name: 'role', value: z.string(), freshMs: 1000 }
const seen = (subject: string, value: number, at: number, observer = 'planner-1') =>
  observation(lag, subject, value, { at, observer })

test('of several observations of one subject the latest counts, in whichever order they come', () => {
  const list = [seen('a', 2, 20), seen('b', 7, 5), seen('a', 1, 10, 'planner-2')]
  const expected = new Map([
    ['a', 2],
    ['b', 7],
  ])
  expect(observed(list, lag)).toEqual(expected)
  expect(observed(list.toReversed(), lag)).toEqual(expected)
})

test('an observation of another aspect is none of this one', () => {
  expect(observed([observation(role, 'a', 'primary', { at: 1, observer: 'planner-1' })], lag)).toEqual(new Map())
})

test('an observation that has lost its shape on the way is refused, not passed on', () => {
  expect(() => observed([{ ...seen('a', 1, 1), value: 'much' }], lag)).toThrow()
})

test('an observation may be relied on for as long as its aspect says, and not at all by a clock that is behind it', () => {
  const one = seen('a', 1, 5000)
  expect([4999, 5000, 5999, 6000].map((now) => isFresh(one, lag, now))).toEqual([false, true, true, false])
  expect(isFresh(one, { freshMs: Number.POSITIVE_INFINITY }, 9_000_000)).toBe(true)
})
