import { describe, expect, test } from 'vitest'
import { beginOf } from '../../cli/moment.ts'

/** In whatever zone the tests run. */
const local = (day: number, hours: number, minutes = 0) => new Date(2026, 10, day, hours, minutes).getTime()
const now = local(28, 21, 30)

describe('the time in which a plan is to begin', () => {
  test('is the next one of that time of day, the end after the beginning', () => {
    expect(beginOf({ notBefore: '22:00', notAfter: '04:00' }, now)).toEqual({
      notBefore: local(28, 22),
      notAfter: local(29, 4),
    })
    expect(beginOf({ notBefore: '21:30' }, now)).toEqual({ notBefore: local(29, 21, 30) })
    expect(beginOf({ notAfter: '23:00' }, now)).toEqual({ notAfter: local(28, 23) })
    expect(beginOf({}, now)).toEqual({})
  })

  test('may be a date with a time, in a zone or in the own one', () => {
    expect(beginOf({ notBefore: '2026-12-24T22:00Z' }, now)).toEqual({ notBefore: Date.UTC(2026, 11, 24, 22) })
    expect(beginOf({ notBefore: '2026-12-24 22:00+02:00' }, now)).toEqual({ notBefore: Date.UTC(2026, 11, 24, 20) })
    expect(beginOf({ notBefore: '2026-11-28T22:00' }, now)).toEqual({ notBefore: local(28, 22) })
  })

  const wrong = [
    { options: { notBefore: 'tonight' }, says: '--not-before: wanted a time like 22:00' },
    { options: { notBefore: '24:00' }, says: 'found 24:00' },
    { options: { notBefore: '2026-13-24T22:00' }, says: 'found 2026-13-24T22:00' },
    { options: { notBefore: '2026-12-24' }, says: 'found 2026-12-24' },
    { options: { notBefore: '2026-11-28T21:00' }, says: 'is over' },
    {
      options: { notBefore: '22:00', notAfter: '2026-11-28T21:45' },
      says: '--not-after: 2026-11-28T21:45 is over before',
    },
  ]
  for (const { options, says } of wrong) {
    test(`is refused where it is ${Object.values(options).at(-1)}`, () => {
      expect(() => beginOf(options, now)).toThrow(says)
    })
  }
})
