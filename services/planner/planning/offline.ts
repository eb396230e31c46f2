import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { deploymentOf, KindRegistry } from '../../../kinds/registry.ts'
import { DiskBlobstore } from '../../../shared/blobstore/disk.ts'
import { emptyFloorplan, Floorplan } from '../../../shared/model/material.ts'
import type { Observation } from '../../../shared/model/observation.ts'
import type { OrderOptions } from '../../../shared/model/order.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { readReleaseDirectory } from '../../../shared/release/directory.ts'
import { packRelease } from '../../../shared/release/pack.ts'
import type { Release, Stemcell } from '../../../shared/release/release.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { SourceDocument } from '../../../shared/source/document.ts'
import { schemaWords } from '../../../shared/source/schema-words.ts'
import { gated } from './gate.ts'
import { optionsOf } from './options.ts'
import { sealPlan } from './seal.ts'

export interface OfflineOrder {
  /** The manifest first, then cloud configs. */
  files: readonly { name: string; content: string }[]
  /** Directories of the releases that the manifest brings along. */
  releases: readonly { path: string; version: string | undefined }[]
  options: Partial<OrderOptions>
  /** The plan is to take the whole deployment away; false, if left out. */
  remove?: boolean
  /** What `GET /v1/deployments/:name/floorplan` answered once; an empty object stands for nothing. */
  floorplan: unknown
  /** What was seen of the world beside the floorplan; nothing, if left out. */
  observations?: readonly Observation[]
}

/**
 * Draws a plan without a planner and without Redis: the same architect and foreman over files and a floorplan of the
 * user's. Stemcells are taken to be there in the versions that the manifest names. The plan is stored nowhere.
 */
export async function planOffline({
  files,
  releases,
  options,
  remove = false,
  floorplan,
  observations = [],
}: OfflineOrder): Promise<Plan> {
  const [manifest, ...cloud] = files.map(({ name, content }) => new SourceDocument(name, content))
  if (!manifest) throw new RemodelError('invalid-input', 'a plan needs a manifest')
  const blobs = await openCache()
  const kinds = await KindRegistry.openFor(manifest, { blobs, cacheFolder: cacheFolder() })
  const kind = kinds.recognise(manifest)
  deploymentOf(kind, manifest)
  const all = { ...optionsOf(kind, options), remove }
  const packed = await Promise.all(releases.map(({ path, version }) => pack(path, version, blobs)))
  const blueprint = kind.architect(manifest, {
    releases: packed,
    created: Object.fromEntries(packed.map((release) => [release.name, release.version])),
    stemcells: stemcellsOf(manifest),
    configs: { cloud, runtime: [] },
  })
  await kind.check?.(manifest)
  const actual = readFloorplan(floorplan, blueprint.deployment)
  try {
    const draft = await kind.foreman(blueprint, actual, all, { observations })
    return sealPlan(gated(draft, all), blueprint, actual)
  } catch (error) {
    throw manifest.place(error)
  } finally {
    await kinds.close()
  }
}

/**
 * Packed releases and rendered templates are kept between calls; they may hold secrets, so no other user may read them.
 */
async function openCache(): Promise<DiskBlobstore> {
  await mkdir(cacheFolder(), { recursive: true, mode: 0o700 })
  return DiskBlobstore.open(join(cacheFolder(), 'blobs'))
}

function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'remodel', 'offline')
}

async function pack(path: string, version: string | undefined, blobs: DiskBlobstore): Promise<Release> {
  const local = await readReleaseDirectory(path, version === undefined ? {} : { version })
  return packRelease(local, async (content) => (await blobs.put(content)).digest)
}

function stemcellsOf(manifest: SourceDocument): Stemcell[] {
  const listed = (manifest.value as { stemcells?: unknown } | null)?.stemcells
  if (!Array.isArray(listed)) return []
  return listed.flatMap((_, index) => {
    const [os, name, version] = ['os', 'name', 'version'].map((key) => manifest.textAt(['stemcells', index, key]))
    const known = os ?? name
    return known === undefined || version === undefined ? [] : [{ name: name ?? known, os: known, version }]
  })
}

function readFloorplan(value: unknown, deployment: string): Floorplan {
  if (value !== null && typeof value === 'object' && Object.keys(value).length === 0) return emptyFloorplan(deployment)
  const parsed = Floorplan.safeParse(value, { error: schemaWords })
  if (!parsed.success)
    throw new RemodelError(
      'invalid-input',
      `this is no floorplan: ${parsed.error.issues[0]?.path.join('.') || 'it'} ${parsed.error.issues[0]?.message}`,
    )
  if (parsed.data.deployment !== deployment) {
    throw new RemodelError(
      'invalid-input',
      `this floorplan is of ${parsed.data.deployment}, the manifest of ${deployment}`,
    )
  }
  return parsed.data
}
