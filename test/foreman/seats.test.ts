import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkPlan } from '../../services/planner/planning/check-plan.ts'
import { emptyFloorplan } from '../../shared/model/material.ts'
import type { Plan, Remodel } from '../../shared/model/plan.ts'
import { execute } from '../kinds/deployment/execution.ts'
import { remodel } from '../support/plans.ts'

type Drawn = Pick<Plan, 'remodels' | 'places' | 'windows'>

/** Barriers, so that nothing but needs and seats decides what may begin. */
const step = (id: string, needs: string[], place?: string): Remodel => ({
  ...({
    changes: [],
    destructive: false,
    deadlineSeconds: 1,
    attempts: 1,
    weight: 0,
    when: 'healthy',
  } as const),
  ...remodel(id, needs),
  input: {},
  ...{ needs, action: 'barrier', queue: null },
  ...(place === undefined ? {} : { place }),
})

const findings = (plan: Drawn) => checkPlan(plan).filter(({ rule }) => rule === 'no-wait-for-a-seat')

describe('a plan with windows', () => {
  const window = { name: 'w', limit: 1 }
  const places = ['p', 'q'].map((name) => ({ name, windows: ['w'] }))

  test('is refused where one that has a seat waits for one that needs it', () => {
    const remodels = [step('p1', [], 'p'), step('q1', [], 'q'), step('p2', ['p1', 'q1'], 'p')]
    const message = 'p2 holds a seat of p and waits for q1, which needs one in w'
    expect(findings({ remodels, places, windows: [window] })).toEqual([
      { rule: 'no-wait-for-a-seat', severity: 'error', message },
    ])
  })

  test('may have places that go one after the other, and ones that wait where there is a seat for each', () => {
    const chain = [step('p1', [], 'p'), step('p2', ['p1'], 'p'), step('all', ['p2']), step('q1', ['all'], 'q')]
    expect(findings({ remodels: chain, places, windows: [window] })).toEqual([])
    const remodels = [step('p1', [], 'p'), step('q1', [], 'q'), step('p2', ['p1', 'q1'], 'p')]
    expect(findings({ remodels, places, windows: [{ ...window, limit: 2 }] })).toEqual([])
  })

  test('is refused where two windows are waited for crosswise', () => {
    const four = ['a', 'b', 'c', 'd'].map((name) => ({ name, windows: ['a', 'd'].includes(name) ? ['v'] : ['w'] }))
    const remodels = [
      ...[step('a1', [], 'a'), step('b1', [], 'b'), step('a2', ['a1', 'b1'], 'a')],
      ...[step('c1', [], 'c'), step('d1', [], 'd'), step('c2', ['c1', 'd1'], 'c')],
    ]
    const windows = [window, { name: 'v', limit: 1 }]
    expect(findings({ remodels, places: four, windows })).toHaveLength(2)
  })
})

/** Remodels that need earlier ones, each in one of few places or in none. */
const drawn: fc.Arbitrary<Drawn> = fc
  .record({
    windows: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 3 }),
    places: fc.array(fc.array(fc.nat(2), { minLength: 1, maxLength: 2 }), { minLength: 2, maxLength: 5 }),
    remodels: fc.array(fc.record({ place: fc.option(fc.nat(4)), needs: fc.array(fc.nat(11), { maxLength: 3 }) }), {
      minLength: 2,
      maxLength: 12,
    }),
  })
  .map(({ windows, places, remodels }) => ({
    windows: windows.map((limit, at) => ({ name: `w${at}`, limit })),
    places: places.map((of, at) => ({
      name: `p${at}`,
      windows: [...new Set(of.map((w) => `w${w % windows.length}`))],
    })),
    remodels: remodels.map(({ place, needs }, at) => {
      const earlier = [...new Set(needs.filter((need) => need < at))].map((need) => `r${need}`)
      return step(`r${at}`, earlier, place === null ? undefined : `p${place % places.length}`)
    }),
  }))

/** Whether it stops before its end, carried out in this order of choices. */
function stops(plan: Drawn, choices: readonly number[]): boolean {
  let next = 0
  try {
    execute(plan as Plan, emptyFloorplan('d'), (count) => (choices[next++ % choices.length] ?? 0) % count)
    return false
  } catch (error) {
    if (String(error).includes('stuck')) return true
    throw error
  }
}

const choices = fc.array(fc.nat(1000), { minLength: 8, maxLength: 8 })

test('a plan that is found in order comes to its end, whatever begins first', () => {
  fc.assert(
    fc.property(drawn, fc.array(choices, { minLength: 20, maxLength: 20 }), (plan, orders) => {
      fc.pre(findings(plan).length === 0)
      expect(orders.some((order) => stops(plan, order))).toBe(false)
    }),
    { numRuns: 500 },
  )
})

test('control: of those that are not, some stop for ever', () => {
  const wrong = fc.sample(drawn, 2000).filter((plan) => findings(plan).length > 0)
  const orders = fc.sample(choices, 20)
  const stopped = wrong.filter((plan) => orders.some((order) => stops(plan, order)))
  expect(stopped.length).toBeGreaterThan(wrong.length / 20)
})
