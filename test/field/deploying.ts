import { existsSync } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { localReleases } from '../../cli/manifest-releases.ts'
import { uploadRelease } from '../../cli/upload.ts'
import type { Client } from '../../shared/api/client.ts'
import type { PlanView } from '../../shared/api/schemas/plan.ts'
import { settled } from '../support/services.ts'

/** Deploys manifests of one case's folder to real machines, as the command does. */
export class FieldDeploys {
  readonly client: Client
  readonly #folder: string

  private constructor(client: Client, folder: string) {
    this.client = client
    this.#folder = folder
  }

  static async open(client: Client, folder: string): Promise<FieldDeploys> {
    await access(folder)
    return new FieldDeploys(client, folder)
  }

  /** The cloud config is the folder's own, else that of all cases that compile. */
  async plan(manifest: string, options: { recreate?: boolean; cloud?: string } = {}): Promise<PlanView> {
    const path = join(this.#folder, manifest)
    const given = { name: path, content: await readFile(path, 'utf8') }
    const releases = await Promise.all(
      localReleases(given).map(async ({ path: release, version }) => {
        const uploaded = await uploadRelease(release, this.client, version === undefined ? {} : { version })
        return { name: uploaded.release.name, version: uploaded.release.version }
      }),
    )
    const cloud = [options.cloud ?? 'cloud-config.yml', '../cc-compile.yml'].find((name) =>
      existsSync(join(this.#folder, name)),
    )!
    return this.client.plan({
      manifest: { ...given, name: manifest },
      cloudConfigs: [{ name: cloud, content: await readFile(join(this.#folder, cloud), 'utf8') }],
      releases,
      options: { recreate: options.recreate ?? false },
    })
  }

  /** How the plan ended. */
  async deploy(manifest: string, options: { recreate?: boolean; cloud?: string } = {}): Promise<string> {
    return this.carryOut(await this.plan(manifest, options))
  }

  async remove(deployment: string, options: { skipDrain?: boolean } = {}): Promise<string> {
    return this.carryOut(await this.client.planRemoval(deployment, options))
  }

  /** What a command on an instance says. */
  async said(deployment: string, instance: string, command: string): Promise<string> {
    const argv = ['/bin/sh', '-c', command]
    return (await this.client.exec(deployment, instance, { argv })).stdout.trim()
  }

  /** The sentences of what failed in the last plan of a deployment. */
  async causes(deployment: string): Promise<string> {
    const failed = (await this.client.events(deployment, {})).filter(({ type }) => type === 'remodel.failed')
    return failed.map((event) => JSON.stringify(event)).join('\n')
  }

  async carryOut({ plan }: PlanView, limitMs = 240_000): Promise<string> {
    if (plan.remodels.length === 0) return 'done'
    await this.client.apply(plan.id, {})
    return settled(this.client, plan.id, limitMs)
  }
}
