import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { StepRegistry } from '../../services/assembler/step-registry.ts'
import { digestOf } from '../../shared/model/canonical.ts'
import { versionOf } from '../../shared/model/input-version.ts'
import { stepKey } from '../../shared/queue/known-steps.ts'

const root = new URL('../..', import.meta.url).pathname

/** Of each kind that has steps: the step's name -> its input. */
const kinds = await Promise.all(
  globSync('kinds/*/inputs.ts', { cwd: root }).map(async (file): Promise<[string, Record<string, z.ZodType>]> => {
    const { inputs } = await import(join(root, file))
    return [basename(dirname(file)), inputs]
  }),
)
const inputs = kinds.flatMap(([kind, steps]) =>
  Object.entries(steps).map(([step, input]) => ({ key: stepKey(kind, step), input, version: versionOf(input) })),
)

/** Step -> version -> what its input looked like in that version. */
const recorded: Record<string, Record<string, string>> = JSON.parse(
  readFileSync(new URL('inputs.json', import.meta.url), 'utf8'),
)

/** Of the fields and what they may hold, not of what is said about them. */
function fingerprint(input: z.ZodType): string {
  const { $schema, ...shape } = z.toJSONSchema(input, { unrepresentable: 'any', io: 'input' })
  return digestOf(JSON.parse(JSON.stringify(shape))).slice('sha256:'.length, 'sha256:'.length + 12)
}

describe('the input of each step', () => {
  test('looks as it was recorded for its version', () => {
    const others = inputs.flatMap(({ key, input, version }) => {
      const [now, then] = [fingerprint(input), recorded[key]?.[version]]
      if (now === then) return []
      if (then === undefined) return [`${key}: write into inputs.json that version ${version} is ${now}`]
      return [
        `${key}: version ${version} was ${then} and is ${now} now. Would an older worker, which ignores the new fields, do something wrong? ` +
          `Then make it inVersion(${version + 1}, …) and write that version ${version + 1} is ${now}. Else write ${now} for ${then}.`,
      ]
    })
    expect(others).toEqual([])
  })

  test('has no earlier version than was recorded, and nothing else is recorded', () => {
    const latest = Object.entries(recorded).map(([key, versions]) => [
      key,
      Math.max(...Object.keys(versions).map(Number)),
    ])
    expect(Object.fromEntries(latest)).toEqual(Object.fromEntries(inputs.map(({ key, version }) => [key, version])))
  })

  test('is known to assemblers in that version', async () => {
    const known = await new StepRegistry().known()
    const carried = inputs.filter(({ key }) => key !== 'deployment/compile-package')
    expect(known).toEqual(Object.fromEntries(carried.map(({ key, version }) => [key, version])))
  })
})
