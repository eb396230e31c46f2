import { hash } from 'node:crypto'
import type { PlanOptions } from '../kinds/contract/kind.ts'
import { renderedBy } from '../kinds/deployment/kind.ts'
import { TemplateRenderer } from '../kinds/deployment/render/renderer.ts'
import type { Render } from '../kinds/deployment/rendering.ts'
import { sealPlan } from '../services/planner/planning/seal.ts'
import { digestOf } from '../shared/model/canonical.ts'
import { emptyFloorplan, type Floorplan } from '../shared/model/material.ts'
import type { Plan } from '../shared/model/plan.ts'
import { temporaryBlobs } from '../test/kinds/deployment/render/blobs.ts'
import { putJob } from '../test/kinds/deployment/render/job.ts'
import { atMost, type Figure, medianOf, noted } from './figure.ts'
import { actualAfter, fleetCatalog, fleetManifest } from './plan/fleet.ts'
import { ledgerFigures } from './plan/ledger.ts'
import { manyFigures } from './plan/many.ts'
import { startUpFigure } from './plan/start-up.ts'

const bench = 'plan'
const options: PlanOptions = { recreate: false, remove: false, skipDrain: false }
const archive = { digest: `sha256:${'0'.repeat(64)}`, templates: {} }

/**
 * What planning costs, from the parsed document to the sealed plan, and what storing and taking up a large plan costs.
 */
export async function run(): Promise<Figure[]> {
  const [small, large] = [await noOp(10_000, digestRender), await noOp(40_000, digestRender)]
  const against = 'pure digest function as renderer; floorplan parsed anew each time'
  return [
    atMost({ bench, case: 'no-op plan, 10,000 instances', value: small, unit: 'ms', against }, 150),
    atMost({ bench, case: 'no-op plan, 40,000 instances', value: large, unit: 'ms', against }, 600),
    atMost(
      {
        bench,
        case: 'no-op plan, log-log slope 10k to 40k',
        value: Math.log(large / small) / Math.log(4),
        unit: 'slope',
        against: 'the two above',
      },
      1.1,
    ),
    ...(await rendered()),
    ...(await ledgerFigures(bench)),
    ...(await manyFigures(bench)),
    await startUpFigure(bench),
  ]
}

/** Objects that many requests share are digested once, by identity; all else is in each request's own text. */
const digests = new WeakMap<object, string>()
const digestRender: Render = async (requests) => {
  const shared = (value: unknown) => {
    if (value === null || typeof value !== 'object') return digestOf(value)
    const digest = digests.get(value) ?? digestOf(value)
    digests.set(value, digest)
    return digest
  }
  return requests.map(({ job, context }) => ({
    digest: `sha256:${hash('sha256', job.digest + shared(context.properties) + shared(context.links) + JSON.stringify(context.spec))}`,
  }))
}

async function draw(
  instances: number,
  floorplan: Floorplan,
  render: Render,
  { greeting, job = archive }: { greeting?: string; job?: typeof archive } = {},
): Promise<Plan> {
  const kind = renderedBy(render)
  const blueprint = kind.architect(fleetManifest(instances, greeting), fleetCatalog(job))
  return sealPlan(await kind.foreman(blueprint, floorplan, options), blueprint, floorplan)
}

/** Milliseconds of planning against the floorplan after the first plan was carried out. Nothing must be planned. */
async function noOp(instances: number, render: Render, job = archive): Promise<number> {
  const actual = JSON.stringify(actualAfter(await draw(instances, emptyFloorplan('fleet'), render, { job })))
  const document = fleetManifest(instances)
  const [kind, catalog] = [renderedBy(render), fleetCatalog(job)]
  return medianOf(async () => {
    const floorplan = { deployment: 'fleet', version: 1, materials: JSON.parse(actual) }
    const started = performance.now()
    const blueprint = kind.architect(document, catalog)
    const plan = sealPlan(await kind.foreman(blueprint, floorplan, options), blueprint, floorplan)
    const ms = performance.now() - started
    if (plan.remodels.length > 0) throw new Error(`the plan of ${instances} is not empty: ${plan.remodels[0]?.id}`)
    return ms
  })
}

/** With the real renderer: Ruby over ERB templates, results put into a blobstore on disk. */
async function rendered(): Promise<Figure[]> {
  const { blobs, remove } = await temporaryBlobs()
  const renderer = new TemplateRenderer({ blobs, threads: 2 })
  try {
    const job = await putJob(blobs, {
      name: 'app',
      templates: {
        'app.yml.erb':
          'port: <%= p("port") %>\ngreeting: <%= p("greeting") %>\nid: <%= spec.id %>\naddress: <%= spec.ip %>\n',
        'ctl.erb':
          '#!/bin/sh\nexec app --index <%= spec.index %><% if_p("port") do |port| %> --port <%= port %><% end %>\n',
      },
    })
    let serial = 0
    const fresh = async (instances: number) => {
      const started = performance.now()
      const plan = await draw(instances, emptyFloorplan('fleet'), renderer.render, {
        greeting: `hello ${++serial}`,
        job,
      })
      if (plan.remodels.length < instances) throw new Error('nothing was planned')
      return performance.now() - started
    }
    const cold = await fresh(200)
    const against = 'two ERB templates an instance, no instance equal to another, Ruby threads running'
    return [
      noted({
        bench,
        case: 'plan of 200 new instances, Ruby not started',
        value: cold,
        unit: 'ms',
        against: 'BOSH 11 s',
      }),
      atMost(
        {
          bench,
          case: 'plan of 200 new instances',
          value: await medianOf(() => fresh(200), 3),
          unit: 'ms',
          against: `BOSH 11 s; ${against}`,
        },
        2200,
      ),
      atMost(
        {
          bench,
          case: 'plan of 1,000 new instances',
          value: await medianOf(() => fresh(1000), 3),
          unit: 'ms',
          against: `BOSH 61 s; ${against}`,
        },
        1000,
      ),
      noted({
        bench,
        case: 'no-op plan, 10,000 instances, renderer cache',
        value: await noOp(10_000, renderer.render, job),
        unit: 'ms',
        against: 'the real renderer, everything in its cache',
      }),
    ]
  } finally {
    await renderer.close()
    await remove()
  }
}
