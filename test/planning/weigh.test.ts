import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { makespan, remainingPaths, usualMs, type Work } from '../../kinds/contract/weigh.ts'

/** In order: each after what it needs. */
const works = fc
  .array(fc.record({ needs: fc.array(fc.nat(20), { maxLength: 3 }), ms: fc.integer({ min: 0, max: 1000 }) }), {
    minLength: 1,
    maxLength: 20,
  })
  .map((list) =>
    list.map(
      ({ needs, ms }, i): Work => ({ id: String(i), ms, needs: [...new Set(needs.filter((n) => n < i))].map(String) }),
    ),
  )

describe('the longest remaining path', () => {
  test('of a piece of work is its own time and the longest of those that wait for it', () => {
    fc.assert(
      fc.property(works, (list) => {
        const paths = remainingPaths(list)
        for (const { id, ms } of list) {
          const after = list.filter((other) => other.needs.includes(id)).map((other) => paths.get(other.id)!)
          expect(paths.get(id)).toBe(ms + Math.max(0, ...after))
        }
      }),
    )
  })

  test('is never shorter for what others wait for than for those, so what is needed goes first', () => {
    fc.assert(
      fc.property(works, (list) => {
        const paths = remainingPaths(list)
        for (const { id, needs } of list)
          for (const need of needs) expect(paths.get(need)).toBeGreaterThanOrEqual(paths.get(id)!)
      }),
    )
  })
})

describe('the time that all of it takes', () => {
  test('is between the longest path or the shared sum, and both together (Graham)', () => {
    fc.assert(
      fc.property(works, fc.integer({ min: 1, max: 5 }), (list, workers) => {
        const longest = Math.max(...remainingPaths(list).values())
        const shared = list.reduce((sum, { ms }) => sum + ms, 0) / workers
        const all = makespan(list, workers)
        expect(all).toBeGreaterThanOrEqual(Math.max(longest, shared) - 1e-6)
        expect(all).toBeLessThanOrEqual(longest + shared + 1e-6)
      }),
    )
  })

  test('of a chain beside short ones is the chain, as its links go first', () => {
    const chain = [0, 1, 2, 3].map((n) => ({ id: `c${n}`, ms: 10, needs: n > 0 ? [`c${n - 1}`] : [] }))
    const short = Array.from({ length: 12 }, (_, n) => ({ id: `s${n}`, ms: 3, needs: [] }))
    expect(makespan([...short, ...chain], 2)).toBe(40)
    expect(makespan([], 2)).toBe(0)
  })
})

test('what was never done before is taken for as long as the middle one that is known, or a second', () => {
  expect(usualMs([9, 1, 5])).toBe(5)
  expect(usualMs([])).toBe(1000)
})
