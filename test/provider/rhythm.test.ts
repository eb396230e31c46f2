import { expect, test } from 'vitest'
import { Rhythm } from '../../shared/provider/local/rhythm.ts'

test('a machine that was never heard, or always at once, is silent after four ticks', () => {
  const rhythm = new Rhythm()
  expect(rhythm.patience).toBe(4)
  for (let i = 0; i < 1000; i++) rhythm.heard(1)
  expect(rhythm.patience).toBe(4)
})

test('one that took longer gets four times as long, until that is 600 answers ago', () => {
  const rhythm = new Rhythm()
  rhythm.heard(3)
  for (let i = 0; i < 599; i++) rhythm.heard(1)
  expect(rhythm.patience).toBe(12)
  rhythm.heard(1)
  expect(rhythm.patience).toBe(4)
})
