import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { judgeFolder } from '../conformance/field.ts'
import { casesFolder } from '../support/cases.ts'
import { Machines } from './machines.ts'
import { carriedOut, drawn, idOf } from './rules.ts'

const root = join(casesFolder, 'field')
const folders = existsSync(root) ? readdirSync(root) : []
if (folders.length === 0) console.warn('skipped: no cases of the field; set REMODEL_CASES to the folder of the cases')
const machines = new Machines()
afterAll(() => machines.close())

/** Its package of 1.2 GB is for `npm run conformance -- field`. */
const tooLarge = 'C13'
const having = (rules: Record<string, unknown>) =>
  folders.filter((folder) => Object.hasOwn(rules, idOf(folder)) && idOf(folder) !== tooLarge)

describe.skipIf(folders.length === 0).each([
  ['drawn without machines', having(drawn)],
  ['carried out on machines', having(carriedOut)],
])('inputs of the field that are %s come to what is right', (_, names) => {
  test.each(names)(
    '%s',
    async (name) => {
      const verdicts = await judgeFolder(join(root, name), name, machines)
      expect(verdicts.filter(({ verdict }) => verdict !== 'passed')).toEqual([])
      expect(verdicts.length).toBeGreaterThan(0)
    },
    600_000,
  )
})
