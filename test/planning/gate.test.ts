import { describe, expect, test } from 'vitest'
import { gated } from '../../services/planner/planning/gate.ts'
import { remodel } from '../support/plans.ts'

const draft = (remodels: ReturnType<typeof remodel>[]) => ({ remodels, windows: [], permits: [], notes: [] })
const needsOf = (of: ReturnType<typeof gated>) =>
  Object.fromEntries(of.remodels.map(({ id, needs }) => [id, needs ?? []]))
const compile = (id: string, needs: string[] = []) => remodel(id, needs, { action: 'compile', queue: 'compile' })
const at = Date.UTC(2026, 11, 24, 22)

describe('a plan with a time to begin', () => {
  const all = draft([
    compile('zlib'),
    compile('curl', ['zlib']),
    remodel('make vm', [], { weight: 7 }),
    remodel('prepare', ['make vm', 'curl']),
    remodel('all compiled', ['curl'], { action: 'barrier' }),
    remodel('start', ['prepare', 'all compiled']),
  ])

  test('has a gate in front of all that it does but compiling', () => {
    expect(needsOf(gated(all, { notBefore: at }))).toEqual({
      begin: [],
      zlib: [],
      curl: ['zlib'],
      'make vm': ['begin'],
      prepare: ['make vm', 'curl'],
      'all compiled': ['begin', 'curl'],
      start: ['prepare', 'all compiled'],
    })
  })

  test('says which time that is', () => {
    const [gate] = gated(all, { notBefore: at, notAfter: at + 3600_000 }).remodels
    expect(gate).toMatchObject({ opens: at, closes: at + 3600_000, weight: 7 })
    expect(gate?.title).toBe('begin, not before 2026-12-24 22:00:00 UTC and not after 2026-12-24 23:00:00 UTC')
  })

  test('has none where nothing is asked or nothing is to be done', () => {
    expect(gated(all, {})).toBe(all)
    expect(gated(draft([]), { notBefore: at }).remodels).toEqual([])
  })
})
