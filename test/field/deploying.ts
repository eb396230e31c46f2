import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from '../../cli/client.ts'
import { uploadRelease } from '../../cli/upload.ts'
import type { PlanView } from '../../services/planner/api/schema.ts'
import { settled } from '../support/services.ts'

/** Deploys manifests of one case's folder to real machines. */
export class FieldDeploys {
  readonly #client: Client
  readonly #folder: string
  readonly #release: { name: string; version: string }

  private constructor(client: Client, folder: string, release: { name: string; version: string }) {
    this.#client = client
    this.#folder = folder
    this.#release = release
  }

  static async open(client: Client, folder: string, release = 'release'): Promise<FieldDeploys> {
    const { name, version } = (await uploadRelease(join(folder, release), client)).release
    return new FieldDeploys(client, folder, { name, version })
  }

  async plan(manifest: string, options: { recreate?: boolean } = {}): Promise<PlanView> {
    const source = async (name: string) => ({ name, content: await readFile(join(this.#folder, name), 'utf8') })
    return this.#client.plan({
      manifest: await source(manifest),
      cloudConfigs: [await source('cloud-config.yml')],
      releases: [this.#release],
      options: { recreate: options.recreate ?? false },
    })
  }

  /** How the plan ended. */
  async deploy(manifest: string, options: { recreate?: boolean } = {}): Promise<string> {
    return this.#carryOut(await this.plan(manifest, options))
  }

  async remove(deployment: string, options: { skipDrain?: boolean } = {}): Promise<string> {
    return this.#carryOut(await this.#client.planRemoval(deployment, options))
  }

  async #carryOut({ plan }: PlanView): Promise<string> {
    if (plan.remodels.length === 0) return 'done'
    await this.#client.apply(plan.id, {})
    return settled(this.#client, plan.id, 120_000)
  }
}
