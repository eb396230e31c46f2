import type { Kind } from '../../../kinds/contract/kind.ts'
import type { Blobstore } from '../../../shared/blobstore/blobstore.ts'
import type { CompiledPackage, RedisCompiledIndex } from '../../../shared/compilation/compiled.ts'
import type { Ledger } from '../../../shared/ledger/ledger.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'
import { materialType } from '../../../shared/model/material.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import type { Release } from '../../../shared/release/release.ts'
import type { Catalog } from '../catalog/catalog.ts'

export interface MarkParts {
  ledger: Ledger
  catalog: Catalog
  compiled: RedisCompiledIndex
  blobs: Blobstore
  /** Asked which blobs they keep. */
  kinds: { all: readonly Pick<Kind, 'keptBlobs' | 'releasesInUse'>[] }
}

/** What is needed at one moment. */
export interface Marks {
  /** Digests and package keys that floorplans and plans to come name. */
  named: ReadonlySet<string>
  /** `<name>/<version>` of releases that stand, or that an open plan is about to make stand. */
  releases: ReadonlySet<string>
  uploaded: readonly Release[]
  compiled: readonly CompiledPackage[]
  /** Digests of stemcell images. */
  stemcells: readonly string[]
}

const open = new Set(['stored', 'running', 'parked', 'failing', 'cancelling'])
const name = /^(sha256:)?[0-9a-f]{64}$/

/**
 * Reads everything that may name a blob. Nothing is cached: what it tells is true for the moment of its start at least.
 */
export async function mark({ ledger, catalog, compiled, blobs, kinds }: MarkParts): Promise<Marks> {
  const [uploaded, stemcells, index] = await Promise.all([catalog.releases(), catalog.stemcells(), compiled.all()])
  const stores = { redis: ledger.redis, settings: ledger.settings, blobs }
  const named = new Set<string>()
  const releases = new Set<string>()
  for (const deployment of await ledger.deployments()) {
    // Plans first: one that ends meanwhile has written its floorplan by the time that is read.
    const plans = await openPlans(ledger, deployment, named)
    const { materials } = await ledger.floorplan(deployment)
    for (const { blob } of await ledger.orders(deployment)) named.add(blob)
    for (const plan of plans) collectNames(plan.remodels, named)
    collectNames(materials, named)
    // Every kind: what a deployment leaves behind outlives the record of its kind.
    for (const kind of kinds.all)
      for (const digest of (await kind.keptBlobs?.(stores, deployment)) ?? []) named.add(digest)
    for (const list of [materials, plans.flatMap(toStand)])
      for (const kind of kinds.all)
        for (const used of kind.releasesInUse?.(list, { releases: uploaded, stemcells }) ?? [])
          releases.add(`${used.name}/${used.version}`)
  }
  return {
    named,
    releases,
    uploaded,
    compiled: index,
    stemcells: stemcells.flatMap(({ digest }) => (digest === undefined ? [] : [digest])),
  }
}

/**
 * Every digest and package key in a piece of JSON, whatever it is: so a kind of its own needs no word about its blobs.
 */
export function collectNames(value: unknown, found: Set<string>): void {
  if (typeof value === 'string') {
    if (name.test(value)) found.add(value)
  } else if (Array.isArray(value)) for (const item of value) collectNames(item, found)
  else if (value !== null && typeof value === 'object')
    for (const item of Object.values(value)) collectNames(item, found)
}

/** Plans that may still need blobs. `named` gets the blobs that plans lie in which have ended, and those of orders. */
async function openPlans(ledger: Ledger, deployment: string, named: Set<string>): Promise<Plan[]> {
  const plans: Plan[] = []
  for (const id of await ledger.planIds(deployment, 0)) {
    const key = `${ledger.base(deployment)}:plan:${id}`
    const [state, blob, order] = await ledger.redis.hmget(key, 'state', 'blob', 'order')
    for (const digest of [blob, order]) if (digest) named.add(digest)
    if (state && open.has(state)) plans.push(await ledger.plan(deployment, id))
  }
  return plans
}

/** The instances that a plan will make stand. */
function toStand(plan: Plan): ActualMaterial[] {
  return plan.remodels.flatMap(({ material, input }) => {
    const attributes = (input as { attributes?: ActualMaterial['attributes'] } | null)?.attributes
    return materialType(material) === 'instance' && attributes
      ? [{ id: material, attributes, needs: [], meta: {} }]
      : []
  })
}
