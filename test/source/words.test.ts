import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { describeFault, RemodelError } from '../../shared/runtime/errors.ts'
import { reasonOf, systemReason } from '../../shared/runtime/system-error.ts'
import { SourceDocument } from '../../shared/source/document.ts'

const Sample = z.strictObject({
  name: z.string().min(1),
  count: z.int().min(1).max(9).optional(),
  list: z.array(z.string()).min(1).max(3).optional(),
  map: z.record(z.string(), z.number()).optional(),
  which: z.enum(['one', 'two']).optional(),
  either: z.union([z.number(), z.boolean()]).optional(),
  open: z.boolean().optional(),
  address: z.ipv4().optional(),
  own: z.string().regex(/^a+$/, 'is not made of a').optional(),
})

function faultsOf(text: string): string[] {
  try {
    new SourceDocument('web.yml', text).parse(Sample)
    return []
  } catch (error) {
    if (!(error instanceof RemodelError)) throw error
    return error.faults.map(describeFault)
  }
}

describe('what is wrong with a document is said in words of our own', () => {
  test.each([
    ['1.5', 'web.yml:1: must be a map (found 1.5)'],
    ['', 'web.yml:1: must be a map (found null)'],
    ['[a]', 'web.yml:1: must be a map (found ["a"])'],
    ['list: x\nname: a', 'web.yml:1: list: must be a list (found "x")'],
    ['name: a\ncount: 10', 'web.yml:2: count: must be at most 9 (found 10)'],
    ['name: a\ncount: 1.5', 'web.yml:2: count: must be a whole number (found 1.5)'],
    ['name: a\nlist: []', 'web.yml:2: list: must have at least 1 entry (found [])'],
    ['name: ""', 'web.yml:1: name: must have at least 1 character (found "")'],
    ['name: a\neither: x', 'web.yml:2: either: must be a number or true or false (found "x")'],
    ['name: a\nopen: x', 'web.yml:2: open: must be true or false (found "x")'],
    ['name: a\naddress: x', 'web.yml:2: address: must be an IPv4 address (found "x")'],
    ['name: a\nown: b', 'web.yml:2: own: is not made of a (found "b")'],
    ['count: 1', 'web.yml:1: name: is missing (allowed: a text)'],
  ])('%j', (text, expected) => {
    expect(faultsOf(text)).toEqual([expected])
  })

  test('no document of any form brings out a sentence of a library', () => {
    const any = fc.object({ key: fc.constantFrom(...Object.keys(Sample.shape)), maxDepth: 2, withNullPrototype: false })
    fc.assert(
      fc.property(any, (value) => {
        for (const fault of faultsOf(JSON.stringify(value))) {
          const words = fault.replace(/ \(found .*$/s, '')
          expect(words).not.toMatch(/invalid|expected|received|unrecognized|too (big|small)/i)
        }
      }),
    )
  })

  test.each([
    'a: [1, 2',
    'a: "x\nb: 1',
    'a: b: c',
    '\ta: 1',
    'a: @x',
    'a: !x y',
    'a: *',
    'a: 1\n b: 2',
    '--- a\n--- b',
    'a: "\\q"',
    'a: b\nc',
  ])('%j is no YAML', (text) => {
    const faults = faultsOf(text)
    expect(faults.length).toBeGreaterThan(0)
    for (const fault of faults) {
      expect(fault).toMatch(/^web\.yml:\d+: /)
      expect(fault).not.toMatch(/implicit|flow |block |scalar|collection|unresolved|plain value|[A-Z]{2,}_[A-Z]/i)
    }
  })
})

test('what a fault quotes is not said a second time', () => {
  expect(describeFault({ message: 'unknown az "z9"', found: 'z9', allowed: 'z1' })).toBe(
    'unknown az "z9" (allowed: z1)',
  )
})

test('a code of the operating system is reported in words, through the errors that wrap it', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })
  expect(systemReason(new TypeError('fetch failed', { cause: new AggregateError([refused]) }))).toBe(
    'no program listens there',
  )
  expect(reasonOf(new RemodelError('infrastructure', 'our own', { cause: refused }))).toBe('our own')
  const circle = new Error('round')
  circle.cause = circle
  expect(reasonOf(circle)).toBe('round')
})
