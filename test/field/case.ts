import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PlanOptions } from '../../kinds/contract/kind.ts'
import { renderedBy } from '../../kinds/deployment/kind.ts'
import { readArchive } from '../../kinds/deployment/render/archive.ts'
import { TemplateRenderer } from '../../kinds/deployment/render/renderer.ts'
import { sealPlan } from '../../services/planner/planning/seal.ts'
import type { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import { emptyFloorplan, type Floorplan } from '../../shared/model/material.ts'
import type { Plan } from '../../shared/model/plan.ts'
import { readReleaseDirectory } from '../../shared/release/directory.ts'
import { packRelease } from '../../shared/release/pack.ts'
import type { Release, Stemcell } from '../../shared/release/release.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { SourceDocument } from '../../shared/source/document.ts'
import { execute } from '../kinds/deployment/execution.ts'
import { temporaryBlobs } from '../kinds/deployment/render/blobs.ts'
import { casesFolder } from '../support/cases.ts'

/** The folder of a case that users met in the field; undefined, after saying so, where it is not there. */
export function fieldCase(name: string): string | undefined {
  const folder = join(casesFolder, 'field', name)
  if (existsSync(folder)) return folder
  console.warn(`skipped: no case field/${name}; set REMODEL_CASES to the folder of the cases`)
  return undefined
}

/** Plans of the manifests of one folder, with its releases, by the planner's own parts and its own Ruby. */
export class FieldPlans {
  readonly folder: string
  readonly #blobs: DiskBlobstore
  readonly #renderer: TemplateRenderer
  readonly #remove: () => Promise<void>

  private constructor(folder: string, blobs: DiskBlobstore, remove: () => Promise<void>) {
    this.folder = folder
    this.#blobs = blobs
    this.#renderer = new TemplateRenderer({ blobs, threads: 1 })
    this.#remove = remove
  }

  static async open(folder: string): Promise<FieldPlans> {
    const { blobs, remove } = await temporaryBlobs()
    return new FieldPlans(folder, blobs, remove)
  }

  async close(): Promise<void> {
    await this.#renderer.close()
    await this.#remove()
  }

  release(directory: string, version?: string): Promise<Release> {
    return readReleaseDirectory(join(this.folder, directory), version === undefined ? {} : { version }).then((local) =>
      packRelease(local, async (content) => (await this.#blobs.put(content)).digest),
    )
  }

  async plan(
    manifest: string,
    given: { releases: readonly Release[]; stemcells?: readonly Stemcell[]; cloud?: string; floorplan?: Floorplan },
    asked: Partial<PlanOptions> = {},
  ): Promise<Plan> {
    const read = async (file: string) => new SourceDocument(file, await readFile(join(this.folder, file), 'utf8'))
    const document = await read(manifest)
    const kind = renderedBy(this.#renderer.render)
    const blueprint = kind.architect(document, {
      releases: given.releases,
      created: Object.fromEntries(given.releases.map(({ name, version }) => [name, version])),
      stemcells: given.stemcells ?? [{ name: 'local', os: 'local', version: '1' }],
      configs: { cloud: [await read(given.cloud ?? 'cloud-config.yml')], runtime: [] },
    })
    const floorplan = given.floorplan ?? emptyFloorplan(blueprint.deployment)
    const options = { recreate: false, remove: false, skipDrain: false, ...asked }
    try {
      return sealPlan(await kind.foreman(blueprint, floorplan, options), blueprint, floorplan)
    } catch (error) {
      throw document.place(error)
    }
  }

  /** The files that a job has on its machine, by path. */
  async files(floorplan: Floorplan, instance: string, job: string): Promise<Map<string, string>> {
    const material = floorplan.materials.find(({ id }) => id === `instance/${instance}`)
    const digests = material?.attributes.configuration as Record<string, string> | undefined
    const files = await readArchive(await this.#blobs.get(digests?.[job] ?? ''))
    return new Map([...files].map(([path, { content }]) => [path, content.toString('utf8')]))
  }
}

/** The floorplan when every remodel of a plan has ended well. */
export function after(plan: Plan, before: Floorplan = emptyFloorplan(plan.deployment)): Floorplan {
  return execute(plan, before, () => 0).floorplan
}

/** Faults of a refusal, as one line each. */
export async function faultsOf(work: Promise<unknown>): Promise<string[]> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error === undefined) return []
  if (!(error instanceof RemodelError)) throw error
  return error.faults.map(({ file, line, message }) => `${file}:${line}: ${message}`)
}
