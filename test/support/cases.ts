import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TestRunner } from 'vitest'

/** Other people's test cases, kept outside the project: REMODEL_CASES, else `shared/cases` beside the checkout. */
export const casesFolder = process.env.REMODEL_CASES ?? join(import.meta.dirname, '../../../shared/cases')

/** The text of a file of cases; null, after saying so, where it is not there. */
export function readCases(name: string): string | null {
  const file = join(casesFolder, name)
  if (existsSync(file)) return readFileSync(file, 'utf8')
  console.warn(`skipped: ${absent(name)}`)
  return null
}

/** The same for the test that runs: without it, the test counts as skipped. */
export function needCases(name: string): string {
  const file = join(casesFolder, name)
  if (existsSync(file)) return readFileSync(file, 'utf8')
  return TestRunner.getCurrentTest()!.context.skip(absent(name))
}

const absent = (name: string) => `no cases at ${name}; set REMODEL_CASES to the folder of the cases`
