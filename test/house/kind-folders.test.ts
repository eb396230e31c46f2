import { describe, expect, test } from 'vitest'
import { bearsName, kinds, usersOf } from './kinds.ts'

/**
 * What tests, measures or shows a kind lies in folders and files of the kind's name, so that it goes when the kind
 * goes. These compare kinds with each other or run over all of them, and say why.
 */
const ofSeveral: Record<string, string> = {
  'bench/run.ts': 'the list of all benches',
  'bench/plan.ts': 'planning as such, with the manifests of the largest kind',
  'bench/plan/': 'the same',
  'test/conformance/': 'the command that runs the cases of all kinds, and its list',
  'test/docs/': 'pages that are written from the schemas of all kinds',
  'test/field/': 'cases of users, which belong to a product and not to a kind',
  'test/golden/': 'scenarios of all kinds, told by one writer',
  'test/kinds/reasons.test.ts': 'the reasons of all kinds',
}

describe.each(kinds)('what uses kind %s', (kind) => {
  const found = usersOf(kind).filter((file) => !bearsName(kind, file))

  test('lies under its name', () => {
    expect(found.filter((file) => !Object.keys(ofSeveral).some((where) => file.startsWith(where)))).toEqual([])
  })
})

test('every exception is needed', () => {
  const found = kinds.flatMap((kind) => usersOf(kind).filter((file) => !bearsName(kind, file)))
  expect(Object.keys(ofSeveral).filter((where) => !found.some((file) => file.startsWith(where)))).toEqual([])
})
