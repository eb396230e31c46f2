import { describe, expect, test } from 'vitest'
import { chainTo, filesOf, loadedBy, sourceOf } from './sources.ts'

/** What decides: the same input gives the same plan, byte for byte. With all that it loads. */
const pure = filesOf(
  'kinds/*/plan/**/*.ts',
  'kinds/*/judgement/**/*.ts',
  'kinds/contract/{diff,draft,order,weigh}.ts',
  'services/planner/planning/{check-plan,gate,seal,seats}.ts',
  'shared/model/**/*.ts',
)
const packages = ['zod', 'yaml', 'ipaddr.js', 'fastest-levenshtein', 'node:crypto', 'node:util']

/** A clock, chance, the process, a timer: whatever is another one the next time. */
const impure = [
  'Date.now',
  'new Date()',
  'performance.',
  'Math.random',
  'randomUUID',
  'randomBytes',
  'randomInt',
  'process.env',
  'process.pid',
  'process.cwd',
  'process.argv',
  'process.hrtime',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'fetch(',
  'console.',
]

function withoutComments({ text, comments }: { text: string; comments: readonly { start: number; end: number }[] }) {
  return comments.reduceRight((rest, { start, end }) => rest.slice(0, start) + rest.slice(end), text)
}

describe('what decides', () => {
  test('there is something to check', () => {
    expect(pure.length).toBeGreaterThan(120)
    expect(pure).toContain('kinds/database/plan/operations/plan.ts')
  })

  test('loads no package that does I/O, through whatever it imports', () => {
    const wrong = pure.flatMap((file) => {
      const loaded = loadedBy(file)
      const foreign = [...loaded.keys()].filter((name) => !name.endsWith('.ts') && !packages.includes(name))
      return foreign.map((name) => chainTo(name, loaded))
    })
    expect(wrong).toEqual([])
  })

  test('asks no clock, no chance and no process, and neither does what it loads', () => {
    const all = new Set(pure.flatMap((file) => [...loadedBy(file).keys()].filter((name) => name.endsWith('.ts'))))
    const wrong = [...all].flatMap((file) => {
      const code = withoutComments(sourceOf(file))
      return impure.filter((word) => code.includes(word)).map((word) => `${file}: ${word}`)
    })
    expect(wrong).toEqual([])
  })
})
