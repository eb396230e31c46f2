import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { execute } from '../../kinds/testing/execution.ts'
import { checkPlan } from '../../services/planner/planning/check-plan.ts'
import { emptyFloorplan } from '../../shared/model/material.ts'
import type { Plan, Remodel } from '../../shared/model/plan.ts'
import { remodel } from '../support/plans.ts'

type Drawn = Pick<Plan, 'remodels' | 'permits' | 'windows'>

/** Barriers, so that nothing but needs and permits decides what may begin. */
const step = (id: string, needs: string[], permit?: string): Remodel => ({
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
  ...(permit === undefined ? {} : { permit }),
})

const findings = (plan: Drawn) => checkPlan(plan).filter(({ rule }) => rule === 'no-wait-for-a-permit')

describe('a plan with windows', () => {
  const window = { name: 'w', limit: 1 }
  const permits = ['p', 'q'].map((name) => ({ name, windows: ['w'] }))

  test('is refused where a remodel that holds a permit waits for one that needs it', () => {
    const remodels = [step('p1', [], 'p'), step('q1', [], 'q'), step('p2', ['p1', 'q1'], 'p')]
    const message = 'p2 holds permit p and waits for q1, which needs one of w'
    expect(findings({ remodels, permits, windows: [window] })).toEqual([
      { rule: 'no-wait-for-a-permit', severity: 'error', message },
    ])
  })

  test('may have permits that go one after the other, and ones that wait where there is a permit for each', () => {
    const chain = [step('p1', [], 'p'), step('p2', ['p1'], 'p'), step('all', ['p2']), step('q1', ['all'], 'q')]
    expect(findings({ remodels: chain, permits, windows: [window] })).toEqual([])
    const remodels = [step('p1', [], 'p'), step('q1', [], 'q'), step('p2', ['p1', 'q1'], 'p')]
    expect(findings({ remodels, permits, windows: [{ ...window, limit: 2 }] })).toEqual([])
  })

  test('is refused where two windows are waited for crosswise', () => {
    const four = ['a', 'b', 'c', 'd'].map((name) => ({ name, windows: ['a', 'd'].includes(name) ? ['v'] : ['w'] }))
    const remodels = [
      ...[step('a1', [], 'a'), step('b1', [], 'b'), step('a2', ['a1', 'b1'], 'a')],
      ...[step('c1', [], 'c'), step('d1', [], 'd'), step('c2', ['c1', 'd1'], 'c')],
    ]
    const windows = [window, { name: 'v', limit: 1 }]
    expect(findings({ remodels, permits: four, windows })).toHaveLength(2)
  })
})

/** Remodels that need earlier ones, each in one of few permits or in none. */
const drawn: fc.Arbitrary<Drawn> = fc
  .record({
    windows: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 3 }),
    permits: fc.array(fc.array(fc.nat(2), { minLength: 1, maxLength: 2 }), { minLength: 2, maxLength: 5 }),
    remodels: fc.array(fc.record({ permit: fc.option(fc.nat(4)), needs: fc.array(fc.nat(11), { maxLength: 3 }) }), {
      minLength: 2,
      maxLength: 12,
    }),
  })
  .map(({ windows, permits, remodels }) => ({
    windows: windows.map((limit, at) => ({ name: `w${at}`, limit })),
    permits: permits.map((of, at) => ({
      name: `p${at}`,
      windows: [...new Set(of.map((w) => `w${w % windows.length}`))],
    })),
    remodels: remodels.map(({ permit, needs }, at) => {
      const earlier = [...new Set(needs.filter((need) => need < at))].map((need) => `r${need}`)
      return step(`r${at}`, earlier, permit === null ? undefined : `p${permit % permits.length}`)
    }),
  }))

/** Whether it stops before its end, carried out in this order of choices. */
function stops(plan: Drawn, choices: readonly number[]): boolean {
  let next = 0
  try {
    const choose = (count: number) => (choices[next++ % choices.length] ?? 0) % count
    execute(plan as Plan, emptyFloorplan('d'), () => {}, { choose })
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
