import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  type Event,
  type NamedPlan,
  nameOf,
  RestoreDatabase,
  UpdateDatabase,
} from '../../../../kinds/database/plan/operations/operations.ts'
import { inputs } from '../../../../kinds/database/plan/operations/schema.ts'
import { type Case, judge, readCases } from '../../../conformance/pgedge.ts'
import { casesFolder } from '../../../support/cases.ts'

const folder = join(casesFolder, 'pgedge')
const missing = !existsSync(folder)
if (missing) console.warn('skipped: no cases of pgEdge; set REMODEL_CASES to the folder of the cases')
const cases = missing ? [] : readCases(folder)

describe.skipIf(missing)("the reference's own cases", () => {
  test('are there', () => {
    expect(cases.length).toBeGreaterThan(0)
  })

  test('come to what the reference says, every one', () => {
    const verdicts = cases.map(({ file, case: one }) => judge(file, one))
    expect(verdicts.filter(({ verdict }) => verdict !== 'passed').map(({ file, name }) => `${file}: ${name}`)).toEqual(
      [],
    )
  })

  test('are planned past a lost resource only where the reference gives up', () => {
    const planned = cases.map(({ file, case: one }) => judge(file, one)).filter(({ note }) => note === 'planned')
    expect(
      planned.every(
        ({ name }) =>
          cases.find(({ case: one }) => one.name === name)?.case.expected.error_class === 'missing_dependency',
      ),
    ).toBe(true)
  })

  test('carry the whole resource in every event as the reference does', () => {
    for (const { case: one } of cases) {
      const full = one.expected.plans_full as Event[][][] | undefined
      if (full !== undefined) expect(full.map(keyOf), one.name).toEqual(planOf(one).map(({ phases }) => keyOf(phases)))
    }
  })

  test('fail when one of them expects something else', () => {
    const { file, case: one } = cases.find(
      ({ case: { expected } }) => (expected.plans as unknown[] | undefined)?.length,
    )!
    const [first] = one.expected.plans as unknown[][]
    expect(judge(file, { ...one, expected: { plans: [first!.slice(1)] } }).verdict).toBe('failed')
  })
})

function planOf({ function: name, input }: Case): NamedPlan[] {
  if (name === 'RestoreDatabase') {
    const { start, nodes, targets } = inputs.RestoreDatabase.parse(input)
    return RestoreDatabase(start, nodes, targets)
  }
  const { start, nodes, services, options } = inputs.UpdateDatabase.parse(input)
  return UpdateDatabase(
    { node_update_strategy: options.node_update_strategy, plan_options: options.plan_options },
    start,
    nodes,
    services,
  )
}

/** Order inside a phase and empty or absent lists do not count. */
function keyOf(phases: readonly (readonly Event[])[]): string[][] {
  return phases.map((phase) => phase.map(eventKey).sort())
}

function eventKey({ type, resource, reason, diff }: Event): string {
  const lists = { dependencies: resource.dependencies ?? [], type_dependencies: resource.type_dependencies ?? [] }
  return JSON.stringify([
    nameOf(resource.identifier),
    type,
    reason ?? '',
    sorted(diff ?? []),
    sorted({ ...resource, ...lists }),
  ])
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => [key, sorted(item)])
}
