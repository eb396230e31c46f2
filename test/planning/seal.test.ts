import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { changesBetween, diffMaterials } from '../../kinds/contract/diff.ts'
import { inOrder } from '../../kinds/contract/order.ts'
import { planOf, remodel } from '../support/plans.ts'

describe('a sealed plan', () => {
  test('is the same, byte for byte, for the same input', () => {
    const make = () => planOf('d', [remodel('a'), remodel('b', ['a'])])
    expect(JSON.stringify(make())).toBe(JSON.stringify(make()))
    expect(make().id).not.toBe(planOf('d', [remodel('a'), remodel('b', ['a'])], { version: 1 }).id)
  })

  test.each([
    ['an id twice', () => planOf('d', [remodel('a'), remodel('a')]), 'used twice'],
    ['a need that is not there', () => planOf('d', [remodel('a', ['x'])]), 'needs x'],
    ['a permit that is not declared', () => planOf('d', [remodel('a', [], { permit: 'p' })]), 'permit p'],
    ['a window that is not declared', () => planOf('d', [], { permits: [{ name: 'p', windows: ['w'] }] }), 'window w'],
    [
      'two of one material side by side',
      () => planOf('d', [remodel('a', [], { material: 'thing/m' }), remodel('b', [], { material: 'thing/m' })]),
      'thing/m',
    ],
    ['a cycle', () => planOf('d', [remodel('a', ['b']), remodel('b', ['a'])]), 'a -> b -> a'],
  ])('is refused where it could never finish: %s', (_what, make, words) => {
    expect(make).toThrow(expect.objectContaining({ code: 'conflict', message: expect.stringContaining(words) }))
  })
})

test('two remodels of one material may have others between them', () => {
  const m = { material: 'thing/m' }
  expect(
    planOf('d', [remodel('a', [], m), remodel('x', ['a']), remodel('y', ['x']), remodel('b', ['y'], m)]),
  ).toBeTruthy()
})

describe('ordering', () => {
  test('puts everything after what it needs', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(30), { maxLength: 4 }), { maxLength: 30 }), (needs) => {
        const graph = needs.map((list, i) => list.filter((need) => need < i).map(String))
        const ids = graph.map((_, i) => String(i)).reverse()
        const order = inOrder(ids, (id) => graph[Number(id)] ?? [])
        expect([...order].sort()).toEqual([...ids].sort())
        for (const [i, list] of graph.entries()) {
          for (const need of list) expect(order.indexOf(need)).toBeLessThan(order.indexOf(String(i)))
        }
      }),
    )
  })

  test('walks chains of any length', () => {
    const ids = Array.from({ length: 50_000 }, (_, i) => String(i)).reverse()
    expect(inOrder(ids, (id) => (id === '0' ? [] : [String(Number(id) - 1)]))[0]).toBe('0')
  })
})

describe('a difference', () => {
  test('of equal values is empty, and names every field that differs', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        expect(changesBetween(value as never, JSON.parse(JSON.stringify(value)))).toEqual([])
      }),
    )
    expect(changesBetween({ a: { b: 1, c: 2 }, d: [1] }, { a: { b: 1, c: 3 }, e: null })).toEqual([
      { path: 'a.c', before: 2, after: 3 },
      { path: 'd', before: [1] },
      { path: 'e', after: null },
    ])
  })

  test('between blueprint and floorplan is what must be created, updated and deleted', () => {
    const wanted = [
      { id: 't/new', attributes: { x: 1 }, needs: [] },
      { id: 't/same', attributes: { x: 1 }, needs: [] },
      { id: 't/other', attributes: { x: 2 }, needs: [] },
    ]
    const actual = ['t/same', 't/other', 't/old'].map((id) => ({ id, attributes: { x: 1 }, needs: [], meta: {} }))
    expect(diffMaterials(wanted, actual).map(({ id, how }) => [id, how])).toEqual([
      ['t/new', 'create'],
      ['t/other', 'update'],
      ['t/old', 'delete'],
    ])
  })
})
