import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { duration } from '../../../kinds/deployment/plan/observations.ts'
import { sealPlan } from '../../../services/planner/planning/seal.ts'
import { emptyFloorplan, type Floorplan } from '../../../shared/model/material.ts'
import { observation } from '../../../shared/model/observation.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { execute } from './execution.ts'
import { document, kind, options } from './planning.ts'
import { given, manifests } from './random-manifests.ts'

type Durations = Readonly<Record<string, number>>

/** A plan of a random manifest with recorded durations by material; null where the manifest is refused. */
async function planned(
  manifest: unknown,
  durations: Durations,
  floorplan = emptyFloorplan('shop'),
): Promise<Plan | null> {
  try {
    const blueprint = kind.architect(document('shop.yml', manifest), given(false))
    const look = { at: 1, observer: 'planner-1' }
    const observations = Object.entries(durations).map(([id, ms]) => observation(duration, id, ms, look))
    return sealPlan(await kind.foreman(blueprint, floorplan, options, { observations }), blueprint, floorplan)
  } catch (error) {
    if (error instanceof RemodelError && error.code === 'invalid-input') return null
    throw error
  }
}

const compiles = (plan: Plan) => plan.remodels.filter(({ step }) => step === 'compile-package')
const drawn = (plan: Plan, numbers: readonly number[]): Durations =>
  Object.fromEntries(compiles(plan).map(({ material }, i) => [material, numbers[i % numbers.length]!]))
const numbers = fc.array(fc.integer({ min: 1, max: 600_000 }), { minLength: 1, maxLength: 9 })
const check = (property: fc.IAsyncProperty<unknown>) => fc.assert(property as never, { numRuns: 40 })

describe('recorded durations', () => {
  test('change the order of a plan and nothing else of it; the same ones give the same plan, byte for byte', async () => {
    await check(
      fc.asyncProperty(manifests, numbers, async (manifest, list) => {
        const bare = await planned(manifest, {})
        fc.pre(bare !== null && compiles(bare).length > 0)
        const durations = drawn(bare, list)
        const timed = await planned(manifest, durations)
        expect(JSON.stringify(await planned(manifest, durations))).toBe(JSON.stringify(timed))
        const plain = (plan: Plan) =>
          new Map(plan.remodels.map(({ weight: _, ...remodel }) => [remodel.id, remodel] as const))
        expect(plain(timed!)).toEqual(plain(bare))
        expect(timed!.windows).toEqual(bare.windows)
        const others = (plan: Plan) =>
          plan.remodels.filter(({ step }) => step !== 'compile-package').map(({ id }) => id)
        expect(others(timed!)).toEqual(others(bare))
      }),
    )
  })

  test('make no change of what has none', async () => {
    await check(
      fc.asyncProperty(manifests, numbers, async (manifest, list) => {
        const first = await planned(manifest, {})
        fc.pre(first !== null)
        const after: Floorplan = execute(first, emptyFloorplan('shop'), () => 0).floorplan
        const again = await planned(manifest, drawn(first, list), after)
        expect(again!.remodels).toEqual([])
        expect(again!.digest).toBe((await planned(manifest, {}, after))!.digest)
      }),
    )
  })

  test('put what the longest time depends on first, in the plan and so on the queue', async () => {
    await check(
      fc.asyncProperty(manifests, numbers, async (manifest, list) => {
        const bare = await planned(manifest, {})
        fc.pre(bare !== null && compiles(bare).length > 1)
        const durations = drawn(bare, list)
        const ordered = compiles((await planned(manifest, durations))!)
        const path = (id: string): number => {
          const after = ordered.filter(({ needs }) => needs.includes(id)).map((one) => path(one.id))
          return durations[ordered.find((one) => one.id === id)!.material]! + Math.max(0, ...after)
        }
        expect(ordered.map(({ weight }) => weight)).toEqual(ordered.map(({ id }) => path(id)))
        expect(ordered.map(({ weight }) => weight)).toEqual(ordered.map(({ weight }) => weight).sort((a, b) => b - a))
      }),
    )
  })
})
