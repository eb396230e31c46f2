import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { asText } from './as-text.ts'
import { databaseScenarios } from './database.ts'
import { deploymentScenarios } from './deployment.ts'

/**
 * Plans of whole scenarios as text, so that a change of the planner is read where it shows. A plan that is meant to be another one
 * is written anew with `vitest run test/golden --update`; its difference belongs to the change.
 */
const kinds = { deployment: deploymentScenarios, database: databaseScenarios }

describe.each(Object.entries(kinds))('the plan of a %s', (kind, scenarios) => {
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
