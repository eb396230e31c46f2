import { expect, test } from 'vitest'
import { testsByProject } from '../projects.ts'
import { filesOf } from './sources.ts'

const { unit, redis, machines } = testsByProject()

test('every test file is of one project, and the long suites of none', () => {
  const all = filesOf('test/**/*.test.ts').filter((file) => !file.startsWith('test/long/'))
  expect([...unit, ...redis, ...machines].sort()).toEqual(all)
})

test('the project of a test follows from what it uses, however far away', () => {
  expect(unit).toContain('test/planning/gate.test.ts')
  expect(unit).toContain('test/kinds/database/plan.test.ts')
  expect(redis).toContain('test/ledger/ledger.test.ts')
  expect(redis, 'the simulator stands in for a Redis').toContain('test/sim/sim.test.ts')
  expect(machines).toContain('test/e2e/lifecycle.test.ts')
  expect(machines, 'by test/kinds/database/links/servers.ts').toContain('test/kinds/database/links/tables.test.ts')
})
