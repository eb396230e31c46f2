import { describe, expect, test } from 'vitest'
import { bearsName, kinds, usersOf } from './kinds.ts'

/**
 * What tests, measures or shows a kind lies in folders and files of the kind's name, so that it goes when the kind
 * goes. These do not yet, files and whole folders: a line that is no longer needed is taken out, and none is put in.
 */
const elsewhere: Record<string, readonly string[]> = {
  database: [
    'bench/run.ts',
    'test/cli/command.test.ts',
    'test/conformance/',
    'test/docs/',
    'test/field/',
    'test/golden/',
    'test/kinds/reasons.test.ts',
    'test/support/postgres.ts',
  ],
  deployment: [
    'bench/',
    'test/assembler/',
    'test/conformance/',
    'test/docs/',
    'test/e2e/',
    'test/field/',
    'test/foreman/',
    'test/golden/',
    'test/kinds/catalog.test.ts',
    'test/kinds/names.test.ts',
    'test/kinds/reasons.test.ts',
    'test/render/',
  ],
}

describe.each(kinds)('what uses kind %s', (kind) => {
  const found = usersOf(kind).filter((file) => !bearsName(kind, file))
  const open = elsewhere[kind] ?? []

  test('lies under its name', () => {
    expect(found.filter((file) => !open.some((where) => file.startsWith(where)))).toEqual([])
  })

  test('every exception is needed', () => {
    expect(open.filter((where) => !found.some((file) => file.startsWith(where)))).toEqual([])
  })
})
