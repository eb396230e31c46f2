import type { CatalogView, PlanOptions } from '../../../kinds/contract/kind.ts'
import { renderedBy } from '../../../kinds/deployment/kind.ts'
import { type Health, health } from '../../../kinds/deployment/plan/observations.ts'
import type { DeploymentOptions } from '../../../kinds/deployment/plan/options.ts'
import type { Render } from '../../../kinds/deployment/rendering.ts'
import { sealPlan } from '../../../services/planner/planning/seal.ts'
import { digestOf } from '../../../shared/model/canonical.ts'
import { emptyFloorplan, type Floorplan } from '../../../shared/model/material.ts'
import { observation } from '../../../shared/model/observation.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import type { Release, ReleaseJob, Stemcell } from '../../../shared/release/release.ts'
import { SourceDocument } from '../../../shared/source/document.ts'

/** Rendering is a function of content; so is this. */
export const render: Render = async (requests) =>
  requests.map(({ job, context }) => ({ digest: digestOf({ job, context }) }))

export const kind = renderedBy(render)

export const options: PlanOptions<DeploymentOptions> = { recreate: false, remove: false, skipDrain: false }

export function document(file: string, value: unknown): SourceDocument {
  return new SourceDocument(file, typeof value === 'string' ? value : JSON.stringify(value, null, 2))
}

export function catalog(cloud: unknown, releases: Release[], stemcells: Stemcell[]): CatalogView {
  const clouds = Array.isArray(cloud) ? cloud : [cloud]
  return {
    releases,
    created: {},
    stemcells,
    configs: { cloud: clouds.map((one, place) => document(`cloud${place || ''}.yml`, one)), runtime: [] },
  }
}

/** `healths`: what the inspector has seen of some materials. */
export async function plan(
  manifest: unknown,
  given: CatalogView,
  floorplan: Floorplan = emptyFloorplan('shop'),
  { healths = {}, ...asked }: Partial<PlanOptions<DeploymentOptions>> & { healths?: Record<string, Health> } = {},
): Promise<Plan> {
  const blueprint = kind.architect(document('shop.yml', manifest), given)
  const look = { at: 1, observer: 'planner-1' }
  const observations = Object.entries(healths).map(([id, state]) => observation(health, id, state, look))
  const draft = await kind.foreman(blueprint, floorplan, { ...options, ...asked }, { observations })
  return sealPlan(draft, blueprint, floorplan)
}

export function job(name: string, more: Partial<ReleaseJob> = {}): ReleaseJob {
  return {
    name,
    fingerprint: `${name}-1`,
    digest: `sha256:job-${name}`,
    packages: [],
    templates: {},
    properties: {},
    provides: [],
    consumes: [],
    ...more,
  }
}

export function pack(name: string, dependencies: string[] = [], fingerprint = `${name}-1`) {
  return { name, fingerprint, dependencies, digest: `sha256:source-${name}-${fingerprint}` }
}

export const stemcells: Stemcell[] = [
  { name: 'jammy', os: 'ubuntu-jammy', version: '1.1' },
  { name: 'jammy', os: 'ubuntu-jammy', version: '1.2' },
]
