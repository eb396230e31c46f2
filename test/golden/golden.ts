import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Plan } from '../../shared/model/plan.ts'
import { asText } from './as-text.ts'

/** Name of the file -> the plan in it. */
export type Scenarios = Readonly<Record<string, () => Promise<Plan>>>

/**
 * Plans of whole scenarios as text, so that a change of the planner is read where it shows. A plan that is meant to be
 * another one is written anew with `vitest run test/golden --update`; its difference belongs to the change.
 */
export function testGoldenPlans(kind: string, scenarios: Scenarios): void {
  describe(`the plan of a ${kind}`, () => {
    test.each(Object.entries(scenarios))('%s', async (name, draw) => {
      const plan = await draw()
      await expect(asText(plan)).toMatchFileSnapshot(`plans/${kind}/${name}.txt`)
    })

    test('has no text that no scenario draws', () => {
      const texts = readdirSync(new URL(`plans/${kind}`, import.meta.url))
      expect(texts.sort()).toEqual(
        Object.keys(scenarios)
          .map((name) => `${name}.txt`)
          .sort(),
      )
    })
  })
}
