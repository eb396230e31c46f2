import { beforeAll, describe, expect, it } from 'vitest'
import { readArchive } from '../../../../kinds/deployment/render/archive.ts'
import { bindProperties, type PropertyDefinitions } from '../../../../kinds/deployment/render/bind.ts'
import type { PreparedJob } from '../../../../kinds/deployment/render/job.ts'
import { type PoolAnswer, RubyPool } from '../../../../kinds/deployment/render/pool.ts'
import { TemplateRenderer } from '../../../../kinds/deployment/render/renderer.ts'
import { templateSpec } from '../../../../kinds/deployment/render/template-spec.ts'
import type { RenderRequest, RenderResult } from '../../../../kinds/deployment/rendering.ts'
import { readCases } from '../../../support/cases.ts'
import { temporaryBlobs } from './blobs.ts'
import { putJob } from './job.ts'

interface Case {
  name: string
  template: string
  template_name: string
  job_name: string
  spec: RenderRequest['context']['spec']
  properties: unknown
  resolved_properties?: unknown
  property_definitions?: PropertyDefinitions
  links: RenderRequest['context']['links']
  dns?: unknown
  expected?: string
  expected_alternatives?: Record<string, string>
  expected_error_contains?: string[]
  error_line?: number | null
  error_stage?: 'bind' | 'render'
}

const JSON_WITH_SOURCE = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown
  rawJSON(text: string): unknown
}

/** Numbers that JavaScript would change keep their text. */
function parseExactly(text: string): unknown {
  return JSON_WITH_SOURCE.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source
      ? JSON_WITH_SOURCE.rawJSON(source)
      : value,
  )
}

const templates = readCases('bosh/templates.ndjson')
const templateSpecs = readCases('bosh/template-spec.json')
const cases = (templates ?? '')
  .trim()
  .split('\n')
  .filter(Boolean)
  .map((line) => parseExactly(line) as Case)
const binding = cases.filter((one) => one.error_stage === 'bind')
const succeeding = cases.filter((one) => one.expected !== undefined)
const failing = cases.filter((one) => one.error_stage === 'render')

function contextOf(one: Case): RenderRequest['context'] {
  const properties = one.property_definitions
    ? bindProperties(one.property_definitions, one.properties)
    : one.properties
  return { spec: one.spec, properties, links: one.links, ...(one.dns ? { dns: one.dns } : {}) }
}

describe.skipIf(templates === null)('a template renders to the bytes that BOSH renders it to', () => {
  const results = new Map<string, string>()
  const faults = new Map<string, RenderResult>()

  beforeAll(async () => {
    const { blobs, remove } = await temporaryBlobs()
    const renderer = new TemplateRenderer({ blobs, threads: 2 })
    try {
      const requests = await Promise.all(
        [...succeeding, ...failing].map(async (one): Promise<RenderRequest> => {
          const to = { [one.template_name]: 'out' }
          const job = await putJob(blobs, { name: one.job_name, templates: { [one.template_name]: one.template }, to })
          return { job, context: contextOf(one), place: { file: 'web.yml', line: 7 } }
        }),
      )
      for (const [index, result] of (await renderer.render(requests)).entries()) {
        const { name } = [...succeeding, ...failing][index]!
        faults.set(name, result)
        if (!('digest' in result)) continue
        const files = await readArchive(await blobs.get(result.digest))
        results.set(name, files.get('out')!.content.toString('utf8'))
      }
    } finally {
      await renderer.close()
      await remove()
    }
  }, 60_000)

  it.each(succeeding)('$name', ({ name, expected, expected_alternatives }) => {
    expect([expected, ...Object.values(expected_alternatives ?? {})]).toContain(results.get(name) ?? faults.get(name))
  })

  it.each(failing)('$name is a fault at the place of the job', ({ name, job_name, template_name }) => {
    const result = faults.get(name)
    const message = expect.stringContaining(`template ${job_name}/${template_name}`)
    expect(result).toEqual({ fault: expect.objectContaining({ file: 'web.yml', line: 7, message }) })
  })
})

describe.skipIf(templates === null)(
  'a template fails as it fails in BOSH, at the same line with the same words',
  () => {
    const answers = new Map<string, PoolAnswer>()

    beforeAll(async () => {
      const pool = new RubyPool({ threads: 1 })
      await Promise.all(
        failing.map(async (one) => {
          const template = one.template_name
          const source = Buffer.from(one.template).toString('base64')
          const file = { template, destination: 'out', mode: 0o640, file: `${one.job_name}/${template}`, source }
          const job: PreparedJob = { id: one.name, name: one.job_name, files: [file], properties: [], faults: [] }
          answers.set(one.name, await pool.render(job, JSON.stringify(contextOf(one))))
        }),
      ).finally(() => pool.close())
    }, 60_000)

    it.each(failing)('$name', ({ name, template_name, error_line, expected_error_contains }) => {
      const answer = answers.get(name)
      const fault = answer && 'faults' in answer ? answer.faults[0] : undefined
      expect(fault?.line ?? null).toBe(error_line)
      const asBosh = `Error filling in template '${template_name}' (line ${fault?.line ?? '(unknown)'}: ${fault?.message})`
      for (const part of expected_error_contains!) expect(asBosh).toContain(part)
    })
  },
)

describe.skipIf(templates === null)('properties are bound as BOSH binds them', () => {
  it.each(cases.filter((one) => one.resolved_properties !== undefined))('$name', (one) => {
    const bound = bindProperties(one.property_definitions!, one.properties)
    expect(JSON.stringify(bound)).toBe(JSON.stringify(one.resolved_properties))
  })

  it.each(binding)('$name is refused', (one) => {
    for (const part of one.expected_error_contains!) {
      expect(() => bindProperties(one.property_definitions!, one.properties)).toThrow(part)
    }
  })
})

describe.skipIf(templateSpecs === null)('a template sees of its instance what BOSH shows it', () => {
  interface SpecCase {
    id: string
    given: { instance: Record<string, unknown>; links?: Parameters<typeof templateSpec>[1] }
    expect: unknown
  }
  it.each((JSON.parse(templateSpecs ?? '{"cases":[]}') as { cases: SpecCase[] }).cases)(
    '$id',
    ({ given, expect: wanted }) => {
      expect(templateSpec(given.instance, given.links)).toEqual(wanted)
    },
  )
})
