import { expect, test } from 'vitest'
import { z } from 'zod'
import { checkSettings, numberSetting, unknownSettings, type Variables } from '../shared/runtime/settings.ts'

const ofKind: Variables = {
  numbers: {
    REMODEL_SLEEP_SECONDS: {
      readBy: 'assembler',
      allowed: z.number().gt(0),
      unset: 1,
      words: 'a number of seconds above 0',
      unit: 'seconds',
      what: 'how long it sleeps',
    },
  },
  texts: { REMODEL_BED: { readBy: 'assembler', type: 'text', what: 'where it sleeps' } },
}

test('a number that is not set, or is empty, is what the documentation says', () => {
  expect(numberSetting('REMODEL_KEEP_PLANS', {})).toBe(50)
  expect(numberSetting('REMODEL_KEEP_PLANS', { REMODEL_KEEP_PLANS: ' ' })).toBe(50)
  expect(numberSetting('REMODEL_CONCURRENCY', {})).toBeUndefined()
})

test.each(['x', 'NaN', '0', '-1', '1.5', '0x10', '10 plans', 'Infinity', '99999999', '1e400'])(
  'REMODEL_KEEP_PLANS=%s is refused by name, with what is allowed',
  (text) => {
    expect(() => numberSetting('REMODEL_KEEP_PLANS', { REMODEL_KEEP_PLANS: text })).toThrow(
      `REMODEL_KEEP_PLANS is "${text}", should be a whole number from 1 to 1,000,000`,
    )
  },
)

test('an environment with several wrong values is refused with all of them', () => {
  expect(() => checkSettings([ofKind], { REMODEL_CONCURRENCY: 'many', REMODEL_SLEEP_SECONDS: '0' })).toThrow(
    /REMODEL_CONCURRENCY is "many".*; REMODEL_SLEEP_SECONDS is "0"/,
  )
  expect(() => checkSettings([ofKind], { REMODEL_CONCURRENCY: '8', REMODEL_KEEP_BLOBS_DAYS: '0.000001' })).not.toThrow()
})

test('a misspelt variable is named with the nearest one, and variables of others are left alone', () => {
  expect(
    unknownSettings([ofKind], {
      REMODEL_KEEP_PLAN: '3',
      REMODEL_SLEEP_SECONDS: '2',
      REMODEL_BED: '1',
      REMODEL_LOG: 'info',
      PATH: '/bin',
    }),
  ).toEqual(['REMODEL_KEEP_PLAN is not a variable of Remodel; the nearest name is REMODEL_KEEP_PLANS'])
})
