import { expect, test } from 'vitest'
import { checkSettings, numberSetting, unknownSettings } from '../shared/runtime/settings.ts'

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
  expect(() => checkSettings({ REMODEL_CONCURRENCY: 'many', REMODEL_ARCHIVE_SECONDS: '0' })).toThrow(
    /REMODEL_ARCHIVE_SECONDS is "0".*; REMODEL_CONCURRENCY is "many"/,
  )
  expect(() => checkSettings({ REMODEL_CONCURRENCY: '8', REMODEL_KEEP_BLOBS_DAYS: '0.000001' })).not.toThrow()
})

test('a misspelt variable is named with the nearest one, and variables of others are left alone', () => {
  expect(unknownSettings({ REMODEL_KEEP_PLAN: '3', REMODEL_LOG: 'info', PATH: '/bin' })).toEqual([
    'REMODEL_KEEP_PLAN is not a variable of Remodel; the nearest name is REMODEL_KEEP_PLANS',
  ])
})
