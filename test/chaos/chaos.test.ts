import { expect, test } from 'vitest'
import { chaos } from './run.ts'

/** One minute of `npm run chaos`, always with the same draws; a longer one with other seeds is run by hand. */
test('a minute of faults of every kind: every wish comes true, nothing is done twice, lost or left', {
  timeout: 300_000,
}, async () => {
  const told: string[] = []
  const report = await chaos({ seconds: 60, seed: 7, log: (line) => told.push(line) })
  expect(report.violations, told.join('\n')).toEqual([])
  expect(report.converged).toBe(report.deploys)
  // It was a storm, not a breeze.
  expect(report.faults).toBeGreaterThan(15)
  expect(report.deploys).toBeGreaterThan(5)
})
