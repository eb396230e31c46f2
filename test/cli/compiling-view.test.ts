import { describe, expect, test } from 'vitest'
import { compilingLine, packageNotes } from '../../cli/views/compiling.ts'
import { planLines } from '../../cli/views/plan-text.ts'
import { createStyle } from '../../cli/views/style.ts'
import { planViewLines } from '../../cli/views/task.ts'
import type { Compiling } from '../../shared/api/schemas/compiling.ts'
import { plan, samplePlan, view } from './sample.ts'

type Package = Compiling['packages'][number]

const one = (more: Partial<Package>): Package => ({
  ...{ remodel: 'compile-package zlib', name: 'zlib', key: 'k', how: 'compile', for: null, since: null },
  ...{ estimateMs: 4000, measured: true, sameSource: true },
  ...more,
})
const compiling = (more: Partial<Compiling>): Compiling => ({
  ...{ hits: 0, packages: [], workers: 2, longestMs: 0, estimateMs: 0 },
  ...more,
})

describe('what a plan says about its packages', () => {
  test('is how many are there, who compiles others, and how long the rest may take', () => {
    const packages = [one({}), one({ estimateMs: 8000 }), one({ how: 'join', for: 'shop', since: 1 })]
    expect(compilingLine(compiling({ hits: 3, packages, longestMs: 8000, estimateMs: 12_000 }))).toBe(
      'Packages: 3 compiled already, 1 being compiled for shop, 2 to compile; about 12.0 s with 2 at once, longest chain 8.0 s.',
    )
    expect(compilingLine(compiling({ hits: 7 }))).toBe('Packages: 7 compiled already.')
  })

  test('tells a guess from what was measured, and does not guess from nothing', () => {
    const packages = [one({}), one({ measured: false }), one({ sameSource: false })]
    expect(compilingLine(compiling({ packages, longestMs: 4000, estimateMs: 4000 }))).toBe(
      'Packages: 3 to compile; about 4.0 s with 2 at once, 1 package by what another source of it took, 1 package of it guessed.',
    )
    expect(
      packageNotes(compiling({ packages: [one({ sameSource: false })] }), 0)
        .values()
        .next().value,
    ).toBe('another source of it took 4.0 s')
    expect(compilingLine(compiling({ packages: [one({ measured: false })], estimateMs: 1000 }))).toBe(
      'Packages: 1 to compile; how long that takes is not known yet.',
    )
    expect(packageNotes(compiling({ packages: [one({ measured: false })] }), 0).size).toBe(0)
  })

  test('stands beside each package, in the plan and while it is carried out', () => {
    const packages = [
      one({ how: 'join', for: 'shop', since: Date.now() - 12_000 }),
      one({ remodel: 'compile-package nginx', name: 'nginx' }),
    ]
    const now = compiling({ packages, estimateMs: 4000, longestMs: 4000 })
    const lines = planLines(samplePlan(), { style: createStyle(false), verbose: false, next: [], compiling: now })
    expect(lines[1]).toMatch(/^Packages: 1 being compiled for shop, 1 to compile; about/)
    const zlib = lines.find((line) => line.includes('* compile zlib'))
    expect(zlib).toContain('not compiled for debian 12; being compiled for deployment shop since 12 s')
    expect(lines.find((line) => line.includes('* compile nginx'))).toContain(
      'its dependency zlib changed; took 4.0 s the last time',
    )
    const stands = { ...view(samplePlan(), { state: 'running', finishedAt: null }, () => 'blocked'), compiling: now }
    const text = planViewLines(stands, createStyle(false), false, Date.now()).join('\n')
    expect(text).toMatch(/compile zlib .*being compiled for deployment shop since 12 s/)
  })

  test('is nothing where there is nothing to say', () => {
    const bare = plan([{ id: 'c', action: 'create', material: 'vm/1', title: 'create', stage: 's' }])
    const options = { style: createStyle(false), verbose: false, next: [] }
    expect(planLines(bare, { ...options, compiling: null })).toEqual(planLines(bare, options))
    expect(packageNotes(null, 0).size).toBe(0)
  })

  test('names a deployment that waits in the queue as one that waits, and many by their number', () => {
    const packages = ['a', 'b', 'c', 'd'].map((name) => one({ how: 'join', for: name, remodel: name }))
    expect(compilingLine(compiling({ packages }))).toContain('4 being compiled for 4 other deployments')
    expect(packageNotes(compiling({ packages }), 0).get('a')).toBe('waits to be compiled for deployment a')
  })
})
