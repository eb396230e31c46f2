import { expect } from 'vitest'
import type { z } from 'zod'
import { versionOf } from '../../shared/model/input-version.ts'
import type { Plan } from '../../shared/model/plan.ts'

/**
 * Every remodel that a worker carries out says which version of its step's input it has, and some
 * step has a second one.
 */
export function expectVersions({ remodels }: Plan, inputs: Readonly<Record<string, z.ZodType>>): void {
  const carried = remodels.filter(({ queue }) => queue !== null)
  const versions = carried.map(({ step, version = 1 }) => [step, version])
  expect(versions).toEqual(carried.map(({ step }) => [step, versionOf(inputs[step]!)]))
  expect(carried.map(({ version = 1 }) => version)).toContain(2)
}
