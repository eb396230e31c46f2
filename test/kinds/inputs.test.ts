import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import * as database from '../../kinds/database/inputs.ts'
import * as deployment from '../../kinds/deployment/inputs.ts'
import { StepCatalog } from '../../services/assembler/catalog.ts'
import { digestOf } from '../../shared/model/canonical.ts'
import { versionOf } from '../../shared/model/input-version.ts'
import { stepKey } from '../../shared/queue/known-steps.ts'
import { planOf as planOfDatabase } from './database/planned.ts'
import * as deployments from './deployment/planning.ts'

const kinds: Record<string, Record<string, z.ZodType>> = {
  database: database.inputs,
  deployment: deployment.inputs,
}
const inputs = Object.entries(kinds).flatMap(([kind, steps]) =>
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
    const known = await new StepCatalog().known()
    const carried = inputs.filter(({ key }) => key !== 'deployment/compile-package')
    expect(known).toEqual(Object.fromEntries(carried.map(({ key, version }) => [key, version])))
  })

  test('is drawn into plans with that version', async () => {
    const group = {
      name: 'web',
      instances: 1,
      azs: ['z1'],
      stemcell: 'default',
      vm_type: 'small',
      persistent_disk: 16,
      networks: [{ name: 'default' }],
      jobs: [{ name: 'web', release: 'r' }],
    }
    const cloud = {
      azs: [{ name: 'z1' }],
      vm_types: [{ name: 'small' }],
      networks: [{ name: 'default', type: 'manual', subnets: [{ range: '127.9.1.0/24', azs: ['z1'] }] }],
      compilation: { workers: 1, network: 'default', az: 'z1', vm_type: 'small' },
    }
    const releases = [{ name: 'r', version: '1', jobs: [deployments.job('web')], packages: [] }] as never
    const manifest = {
      name: 'shop',
      releases: [{ name: 'r', version: '1' }],
      stemcells: [{ alias: 'default', os: 'ubuntu-jammy', version: '1.1' }],
      update: { canaries: 1, max_in_flight: 1, canary_watch_time: '1-2', update_watch_time: '1-2' },
      instance_groups: [group],
    }
    const plans = [
      await deployments.plan(manifest, deployments.supplies(cloud, releases, deployments.stemcells)),
      await planOfDatabase({ net: 1, nodes: { n1: 'ab', n2: 'c' } }),
    ]
    for (const { kind, remodels } of plans) {
      const carried = remodels.filter(({ queue }) => queue !== null)
      const versions = carried.map(({ step, version = 1 }) => [step, version])
      expect(versions).toEqual(carried.map(({ step }) => [step, versionOf(kinds[kind]![step]!)]))
      expect(carried.map(({ version = 1 }) => version)).toContain(2)
    }
  })
})
